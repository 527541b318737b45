"""A table of rows in files: shards that are memory-mapped, read by row number, and checked against what was written.

`<key>/shard-00000.npy`, ... and beside each `shard-00000.json` with its size and sha256; `meta.json`, written last, says that
the table is whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dalr_bench.cache import READY
from dalr_bench.errors import DataError, Fault

Array = np.ndarray[Any, np.dtype[Any]]
Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Table:
    """Rows [n, T] cut into `parts` one after another. Nothing is read before it is asked for."""

    parts: Sequence[Array]

    @cached_property
    def starts(self) -> Numbers:
        """Number of the first row of each part, and the number of rows at the end."""
        return np.concatenate([[0], np.cumsum([len(part) for part in self.parts])]).astype(np.int64)

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def width(self) -> int:
        return int(self.parts[0].shape[1])

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self.parts)

    def take(self, rows: Numbers) -> Array:
        """Rows by number, in the order asked, [k, T]; a part is touched only where rows of it are asked for."""
        if len(self.parts) == 1:
            return np.asarray(self.parts[0][rows])
        out = np.empty((len(rows), self.width), self.parts[0].dtype)
        owner = np.searchsorted(self.starts, rows, "right") - 1
        for part in np.unique(owner):
            mine = owner == part
            out[mine] = self.parts[part][rows[mine] - self.starts[part]]
        return out

    def whole(self) -> Array:
        """All rows in memory, [n, T]."""
        return np.concatenate([np.asarray(part) for part in self.parts])


def shard_file(folder: Path, number: int) -> Path:
    """Where a shard of a table is."""
    return folder / f"shard-{number:05}.npy"


def note_file(folder: Path, number: int) -> Path:
    """What was written as a shard: `{"rows", "bytes", "sha256", ...}`. Written after it, so it says that the shard is whole."""
    return shard_file(folder, number).with_suffix(".json")


def written(folder: Path, number: int) -> dict[str, Any] | None:
    """The note of a finished shard; None where there is none, or where the file is not as long as it says."""
    try:
        note: dict[str, Any] = json.loads(note_file(folder, number).read_text())
        whole = shard_file(folder, number).stat().st_size == note["bytes"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return note if whole else None


def sha256(path: Path) -> str:
    """Of a file's content."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def complete(folder: Path) -> dict[str, Any] | None:
    """A table's `meta.json` where it is there and every shard is as long as it was written; None else (build it again)."""
    try:
        meta: dict[str, Any] = json.loads((folder / READY).read_text())
        count = int(meta["shards"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return meta if all(written(folder, number) is not None for number in range(count)) else None


def open_table(folder: Path, count: int) -> Table:
    """The shards of a whole table, memory-mapped."""
    return Table([np.load(shard_file(folder, number), mmap_mode="r") for number in range(count)])


def verify(folder: Path) -> int:
    """Read a whole table and compare every shard with its sha256; the bytes read. Raises DataError naming what differs."""
    meta = complete(folder)
    if meta is None:
        raise DataError(
            Fault("this store is not whole: delete it, it is built again when it is needed", file=str(folder))
        )
    for number in range(int(meta["shards"])):
        note = written(folder, number)
        if note is None or sha256(shard_file(folder, number)) != note["sha256"]:
            what = "is not what was written: delete it, it is built again when it is needed"
            raise DataError(Fault(what, file=str(shard_file(folder, number))))
    return sum(shard_file(folder, number).stat().st_size for number in range(int(meta["shards"])))
