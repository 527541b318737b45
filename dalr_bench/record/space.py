"""Room on the disk, looked at before it is needed."""

from __future__ import annotations

import shutil
from pathlib import Path

from dalr_bench.errors import EXIT_SOME_FAILED, UserError


class SpaceError(UserError):
    """The disk has no room for a run. Others may still finish elsewhere, so it is a failure of that run alone."""

    exit_code = EXIT_SOME_FAILED


def free_bytes(folder: Path) -> int:
    """What may still be written on the disk of a folder, or of the nearest folder above it that is there."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def check_space(folder: Path, needed: int, what: str) -> None:
    """Raises SpaceError where fewer than `needed` bytes are free."""
    free = free_bytes(folder)
    if free < needed:
        raise SpaceError(
            f"{folder}: {what} need {amount(needed)}, {amount(free)} are free; "
            "free some space and run the same command again, or write less (--checkpoint-every never)"
        )


def amount(count: float) -> str:
    """Bytes for people: `1.3 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
