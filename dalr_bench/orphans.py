"""Names of temporary files and folders that say whose they are; those whose process is gone are swept."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dalr_bench.process import is_alive, place

# What a library makes beside a temporary name of ours while it fills it has a tail of its own.
_PART = re.compile(r"\..*\.([0-9a-f]{8})\.(\d+)\.[0-9a-f]{8}\.part(?:-.*)?")
_SECONDS_A_STRANGERS_PART_IS_LEFT = 3600.0


def part_path(target: Path) -> Path:
    """A temporary name beside `target`: hidden, with this machine's and this process's mark."""
    # Not tempfile: its files are private to their owner, and results are read by others too.
    return target.with_name(f".{target.name[:100]}.{place()}.{os.getpid()}.{secrets.token_hex(4)}.part")


@contextmanager
def temporary(target: Path) -> Iterator[Path]:
    """A name beside `target` that `sweep` knows; what is there at the end is removed, a file or a folder.

    Raises OSError that names `target`: a full disk names nothing by itself, others a file nobody has heard of.
    """
    part = part_path(target)
    try:
        yield part
    except OSError as error:
        if error.errno is None or (error.filename is not None and str(part) not in f"{error.filename}\n{error.filename2}"):
            raise
        raise OSError(error.errno, error.strerror, str(target)) from error
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            with suppress(OSError):
                part.unlink()


def sweep(folder: str | Path, deep: bool = True) -> list[str]:
    """Remove what processes that are gone left in `folder` and (`deep`) in the folders in it; returns the names.

    A process of another machine cannot be asked: its temporary files go when they are an hour old.
    """
    return sweep_these(list(Path(folder).rglob(".*.part*") if deep else Path(folder).glob(".*.part*")))


def sweep_these(paths: Iterable[Path]) -> list[str]:
    """`sweep`, among these paths."""
    swept = []
    for path in paths:
        found = _PART.fullmatch(path.name)
        if found and _is_orphan(path, *found.groups()):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            swept.append(path.name)
    return swept


def _is_orphan(path: Path, where: str, pid: str) -> bool:
    if where == place():
        return not is_alive(int(pid))
    try:
        return time.time() - path.lstat().st_mtime > _SECONDS_A_STRANGERS_PART_IS_LEFT
    except FileNotFoundError:
        return False
