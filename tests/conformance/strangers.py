"""Distributions made of one module each, beside one another in one folder, as an installer would leave them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

REQUIRES = "dalr-bench<0.2,>=0.1"


def installed(folder: Path, name: str, code: str, requires: Sequence[str] = (REQUIRES,)) -> None:
    """Write module `name` and the metadata of its distribution, which requires these."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    title = name.replace("_", "-")
    lines = ["Metadata-Version: 2.1", f"Name: {title}", "Version: 1.0", *(f"Requires-Dist: {one}" for one in requires)]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    (info / "entry_points.txt").write_text(f"[dalr_bench]\n{name} = {name}\n")
    (info / "RECORD").write_text(f"{name}.py,,\n")
