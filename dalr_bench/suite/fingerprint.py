"""What data is, whatever it is called: a hash of a file's or a folder's content, remembered by size and time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dalr_bench.cache import cache_root
from dalr_bench.errors import DataError, Fault
from dalr_bench.record.files import write_json

_CHUNK_BYTES = 1 << 20
# A file that changed this recently may change again without its time showing it.
_SETTLED_NS = 2_000_000_000


def fingerprint(path: str | Path, only: Callable[[str], bool] = lambda name: True) -> str:
    """sha256 of a file's content; of a folder, over the sorted relative names and contents of the files in it.

    Of a folder those files whose names `only` is true of.

    Hashes are kept in the cache folder by path, size and time of change. Raises DataError where nothing is there, where
    it cannot be read, or where it is neither a file nor a folder.
    """
    root = Path(path)
    try:
        memory = _Memory(root)
        found = _folder(root, memory, only) if root.is_dir() else memory.hash(root, "")
        memory.save()
    except FileNotFoundError as error:
        raise DataError(Fault("there is no such file or folder", file=str(error.filename or root))) from None
    except OSError as error:
        raise DataError(Fault(f"cannot be read: {error.strerror or error}", file=str(error.filename or root))) from None
    return found


def _folder(root: Path, memory: _Memory, only: Callable[[str], bool]) -> str:
    total = hashlib.sha256()
    for name in sorted(filter(only, _names(root))):
        total.update(f"{json.dumps(name)}:{memory.hash(root / name, name)}\n".encode())
    return f"folder:{total.hexdigest()}"


def _names(root: Path) -> Iterator[str]:
    """Relative names of all files, through links to folders, each real folder once."""
    seen: set[str] = set()
    for folder, inner, files in os.walk(root, followlinks=True, onerror=_raised):
        real = os.path.realpath(folder)
        if real in seen:
            inner.clear()
            continue
        seen.add(real)
        yield from (os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/") for name in files)


def _raised(error: OSError) -> None:
    raise error


class _Memory:
    """Content hashes of one path, kept in one file of the cache folder."""

    def __init__(self, root: Path) -> None:
        key = hashlib.sha256(os.path.abspath(root).encode("utf-8", "surrogateescape")).hexdigest()
        self.file = cache_root() / "fingerprints" / f"{key}.json"
        self.known = self._read()
        self.fresh: dict[str, Any] = {}

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.file.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def hash(self, path: Path, name: str) -> str:
        """The hash of one file: remembered where size and time are as they were."""
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise DataError(Fault("is neither a file nor a folder", file=str(path)))
        known = self.known.get(name)
        if isinstance(known, list) and known[:2] == [about.st_size, about.st_mtime_ns] and len(known) == 3:
            digest = str(known[2])
        else:
            digest = _content(path)
        if time.time_ns() - about.st_mtime_ns > _SETTLED_NS:
            self.fresh[name] = [about.st_size, about.st_mtime_ns, digest]
        return digest

    def save(self) -> None:
        """Written whole or not at all; a cache that cannot be written costs time, never the plan."""
        if not self.fresh or self.fresh == self.known:
            return
        with contextlib.suppress(OSError):
            write_json(self.file, self.fresh, indent=None)


def _content(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
