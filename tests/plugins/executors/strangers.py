"""A stranger's distribution put on the path of this process and of the workers it starts."""

from __future__ import annotations

from pathlib import Path

import pytest


def install(folder: Path, name: str, code: str, patch: pytest.MonkeyPatch) -> None:
    """Write module `name` with its entry point into `folder` and put that on every path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[dalr_bench]\n{name} = {name}\n")
    patch.syspath_prepend(str(folder))
    patch.setenv("PYTHONPATH", str(folder))
