"""The cache folder, and which process uses what in it."""

from __future__ import annotations

import atexit
import os
import socket
from contextlib import suppress
from pathlib import Path

READY, MANIFEST = "meta.json", "manifest.json"
_USERS = ".users"


def cache_root() -> Path:
    """`DALR_BENCH_CACHE`, else the user's cache folder."""
    named = os.environ.get("DALR_BENCH_CACHE")
    if named:
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("dalr-bench")


def store_root(named: str | None) -> Path:
    """Where the stores of a corpus go: the folder it names, else the cache folder."""
    return cache_root() if named is None else Path(named)


def mark_used(folder: Path) -> Path:
    """Note that this process uses a store, now: `prune` goes by it. A cache that cannot be written to is used all the same."""
    with suppress(OSError):
        os.utime(folder / READY)
        marks = folder.parent / _USERS
        marks.mkdir(exist_ok=True)
        mark = _mark(folder)
        if not mark.exists():
            mark.touch()
            atexit.register(mark.unlink, missing_ok=True)
    return folder


def mark_left(folder: Path) -> None:
    """Note that this process uses a store no more."""
    _mark(folder).unlink(missing_ok=True)


def _mark(folder: Path) -> Path:
    return folder.parent / _USERS / f"{folder.name}@{socket.gethostname()}.{os.getpid()}"


def users(folder: Path) -> list[Path]:
    """The marks of processes that opened a store and have not ended since, or were killed."""
    marks = folder.parent / _USERS
    return sorted(marks.glob(f"{folder.name}@*")) if marks.is_dir() else []
