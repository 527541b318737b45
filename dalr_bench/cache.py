"""Where caches live, and how a cached folder comes to be: built by one process, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from dalr_bench.cache_folder import MANIFEST, READY, cache_root, mark_used, store_root
from dalr_bench.caches import keep_bound
from dalr_bench.orphans import part_path, sweep_these

__all__ = ["READY", "build_once", "cache_root", "store_root"]


def _ready(folder: Path) -> bool:
    return (folder / READY).is_file()


def build_once(folder: Path, build: Callable[[Path], None], whole: Callable[[Path], bool] = _ready) -> Path:
    """Return `folder`, calling `build(temporary folder)` first where it is not there yet.

    One writer at a time (a lock file beside it); the folder appears by a rename, so that even where locks do not work
    (some shared file systems) a reader never sees half of it: the loser of a race throws its copy away.
    `build` must write `meta.json`. A folder that is there and not `whole` (a file was cut) goes, and is built again.
    """
    if whole(folder):
        return mark_used(folder)
    from filelock import FileLock

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(folder.name + ".lock")):
        if whole(folder):
            return mark_used(folder)
        shutil.rmtree(folder, ignore_errors=True)
        sweep_these(list(folder.parent.glob(f".{folder.name}.*.part*")))
        temporary = part_path(folder)
        temporary.mkdir()
        try:
            build(temporary)
            _file_manifest(temporary)
            _sync(temporary)
            _publish(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    mark_used(folder)
    keep_bound()
    return folder


def _file_manifest(folder: Path) -> None:
    """Sizes and hashes of all files, for `dalr-bench cache verify`."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        files[path.relative_to(folder).as_posix()] = {"bytes": path.stat().st_size, "sha256": digest}
    (folder / MANIFEST).write_text(json.dumps({"files": files}, indent=2) + "\n")


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
