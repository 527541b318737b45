"""Where caches live, and how a cached folder comes to be: built by one process, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from dalr_bench.orphans import part_path, sweep_these

READY = "meta.json"


def cache_root() -> Path:
    """`DALR_BENCH_CACHE`, else the user's cache folder."""
    named = os.environ.get("DALR_BENCH_CACHE")
    if named:
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("dalr-bench")


def _ready(folder: Path) -> bool:
    return (folder / READY).is_file()


def build_once(folder: Path, build: Callable[[Path], None], whole: Callable[[Path], bool] = _ready) -> Path:
    """Return `folder`, calling `build(temporary folder)` first where it is not there yet.

    One writer at a time (a lock file beside it); the folder appears by a rename, so that even where locks do not work
    (some shared file systems) a reader never sees half of it: the loser of a race throws its copy away.
    `build` must write `meta.json`. A folder that is there and not `whole` (a file was cut) goes, and is built again.
    """
    if whole(folder):
        return folder
    from filelock import FileLock

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(folder.name + ".lock")):
        if whole(folder):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        sweep_these(list(folder.parent.glob(f".{folder.name}.*.part*")))
        temporary = part_path(folder)
        temporary.mkdir()
        try:
            build(temporary)
            _sync(temporary)
            _publish(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _sync(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())


def _publish(temporary: Path, folder: Path) -> None:
    if folder.exists() and not (folder / READY).is_file():
        shutil.rmtree(folder)
    try:
        temporary.rename(folder)
    except OSError:
        if not (folder / READY).is_file():
            raise
