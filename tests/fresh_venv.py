"""A virtual environment of its own that sees what this one has, and installs from a folder without the network."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Venv:
    """`run` starts a program of its bin folder; `install` builds a distribution with this environment's build tools."""

    root: Path

    def run(self, *words: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """Its own programs come first on the path, as in a terminal in which it is active."""
        inside = {**os.environ, **environment, "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}"}
        inside |= {"VIRTUAL_ENV": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(words, cwd=cwd, env=inside, capture_output=True, text=True, check=False)

    def install(self, *folders: Path) -> None:
        done = self.run("pip", "install", "-q", *map(str, folders))
        assert done.returncode == 0, done.stderr


def fresh_venv(root: Path) -> Venv:
    """Made by the standard library; a .pth file shows it the packages that are here. Its `pip` is this environment's, told
    to build with what is here and to fetch nothing.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root)], check=True)
    site = next((root / "lib").glob("python3*")) / "site-packages"
    seen = [path for path in sys.path if "-packages" in path or list(Path(path or ".").glob("dalr_bench*"))]
    (site / "seen.pth").write_text("".join(f"{path}\n" for path in dict.fromkeys(seen)))
    python = root / "bin" / "python"
    offline = "--no-deps --no-build-isolation --no-index --disable-pip-version-check"
    _program(root / "bin" / "pip", f'exec "{sys.executable}" -m pip --python "{python}" "$@" {offline}')
    _program(root / "bin" / "pytest", f'exec "{python}" -m pytest "$@"')
    _program(root / "bin" / "dalr-bench", f'exec "{python}" -m dalr_bench "$@"')
    return Venv(root)


def _program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
