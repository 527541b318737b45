"""What the cache folder holds: what made each store, its size, when it was last used and by whom; bounded and checked."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dalr_bench.cache_folder import MANIFEST, READY, cache_root, mark_left, users
from dalr_bench.errors import SuiteError, counted

SIZE = "DALR_BENCH_CACHE_SIZE"
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
# A process of another machine cannot be asked; its mark is believed so long after it last opened the store.
_BELIEVED_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class Stored:
    """One store: a folder that is there whole. `made` is what its `meta.json` says of it, `used` a time."""

    folder: Path
    kind: str
    bytes: int
    used: float
    made: dict[str, Any]

    @property
    def name(self) -> str:
        """`features/30f1...`: how the commands call it."""
        return f"{self.kind}/{self.folder.name}"

    @property
    def in_use(self) -> bool:
        """Whether a living process has it open."""
        return any(_lives(mark) for mark in users(self.folder))


def stored(root: Path | None = None) -> list[Stored]:
    """Every store of the cache folder, the one that was used longest ago first."""
    place = root or cache_root()
    folders = [path.parent for path in place.glob(f"*/*/{READY}")] if place.is_dir() else []
    return sorted(filter(None, map(_stored, folders)), key=lambda each: (each.used, each.name))


def _stored(folder: Path) -> Stored | None:
    try:
        made = json.loads((folder / READY).read_bytes())
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        used = (folder / READY).stat().st_mtime
    except (OSError, ValueError):
        return None  # it goes as we look, or is none of ours
    return Stored(folder, folder.parent.name, size, used, made if isinstance(made, dict) else {})


def _lives(mark: Path) -> bool:
    host, _, pid = mark.name.rpartition("@")[2].rpartition(".")
    if host != socket.gethostname():
        with suppress(OSError):
            return time.time() - mark.stat().st_mtime < _BELIEVED_SECONDS
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        mark.unlink(missing_ok=True)
        return False
    except (OSError, ValueError):
        return True
    return True


# ------------------------------------------------------------------ size
def size_of(text: str, option: str) -> int:
    """`20GB`, `500 MB`, `1e9` no: a number and a unit of 1000s. Raises SuiteError for anything else."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise SuiteError(f"{option} {text}: expected a size such as 500MB, 20GB or 1.5TB")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def bound() -> int | None:
    """What DALR_BENCH_CACHE_SIZE allows; None without it."""
    said = os.environ.get(SIZE)
    return None if not said else size_of(said, SIZE)


@dataclass
class Pruned:
    """What went, and what should have gone and could not be removed: by name, with the reason."""

    removed: list[Stored] = field(default_factory=list)
    failed: dict[str, OSError] = field(default_factory=dict)

    def remove(self, each: Stored) -> bool:
        """Take a store away if that can be done; whether this process did."""
        try:
            gone = remove(each)
        except OSError as error:
            self.failed[each.name] = error
            return False
        self.removed += [each] if gone else []
        return gone


def prune(to: int, older_than: float | None = None) -> Pruned:
    """Remove stores, the longest unused first, until the cache is no larger than `to` bytes.

    With `older_than` (seconds) everything unused for so long goes as well. What a living process has open stays.
    """
    there = stored()
    total, out = sum(each.bytes for each in there), Pruned()
    for each in there:
        old = older_than is not None and time.time() - each.used > older_than
        if (total > to or old) and not each.in_use and out.remove(each):
            total -= each.bytes
    return out


def keep_bound() -> None:
    """Called by whoever wrote a store: what DALR_BENCH_CACHE_SIZE allows is not passed."""
    limit = bound()
    if limit is not None:
        prune(limit)


def remove(each: Stored) -> bool:
    """Take a store away: renamed first, so that no reader ever sees half of it. False where somebody was quicker.

    Raises OSError where it, or a part of it, cannot be removed.
    """
    gone = each.folder.with_name(f".{each.folder.name}.{os.getpid()}.gone")
    try:
        each.folder.rename(gone)
    except FileNotFoundError:
        return False
    shutil.rmtree(gone)
    each.folder.with_name(each.folder.name + ".lock").unlink(missing_ok=True)
    return True


def release(folder: Path) -> bool:
    """This process needs a store no more: it goes, unless another one has it open. Whether it went."""
    mark_left(folder)
    found = _stored(folder)
    return found is not None and not found.in_use and Pruned().remove(found)


# ------------------------------------------------------------------ soundness
def damage(each: Stored) -> Iterator[str]:
    """What is wrong with a store's files: against its manifest, or the notes beside its shards. Stores that were written
    before there were manifests have nothing to go by."""
    try:
        files = _told(each.folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f"its own account of itself is damaged: {error}"
        return
    for name, told in files.items():
        path = each.folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif path.stat().st_size != told["bytes"]:
            yield f"{name} has {counted(path.stat().st_size, 'byte')}, not {told['bytes']}"
        else:
            with path.open("rb") as handle:
                if hashlib.file_digest(handle, "sha256").hexdigest() != told["sha256"]:
                    yield f"{name} is not what was written (sha256)"


def _told(folder: Path) -> dict[str, dict[str, Any]]:
    if (folder / MANIFEST).is_file():
        return dict(json.loads((folder / MANIFEST).read_bytes())["files"])
    notes = ((path, json.loads(path.read_bytes())) for path in sorted(folder.glob("*.json")) if path.name != READY)
    return {path.with_suffix(".npy").name: note for path, note in notes if "sha256" in note}
