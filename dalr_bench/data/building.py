"""Building a table shard by shard: every process and every device that needs it takes the next shard nobody is at.

A shard has one writer (a lock file beside it) and appears whole; a build that is killed goes on from the shards that are there.
Where a table is a single shard, one builds and the others wait.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dalr_bench.cache import READY
from dalr_bench.data.shards import Array, complete, note_file, sha256, shard_file, written
from dalr_bench.orphans import sweep, temporary

_PATIENCE = 0.05  # seconds between two looks at a shard somebody else is at
Progress = Callable[[int, int], None]
# One worker's way to make a shard: its first and last item → rows and facts to note. It may be called from a thread of its own.
Make = Callable[[int, int], tuple[Array, dict[str, Any]]]


@dataclass
class Build:
    """`items` things (sentences, pictures) in shards of `size`; `meta` is noted with the finished table."""

    folder: Path
    items: int
    size: int
    meta: dict[str, Any]
    progress: Progress | None = None
    _failed: threading.Event = field(default_factory=threading.Event)

    @property
    def count(self) -> int:
        """How many shards the table has."""
        return max(1, -(-self.items // self.size))

    def run(self, makers: Sequence[Make]) -> None:
        """Make what is missing, one thread a maker, and wait for what others are at. What a maker raises is raised."""
        self.folder.mkdir(parents=True, exist_ok=True)
        sweep(self.folder, deep=False)
        try:
            if len(makers) == 1:
                self._work(makers[0])
            else:
                with ThreadPoolExecutor(len(makers)) as pool:
                    for done in [pool.submit(self._work, maker) for maker in makers]:
                        done.result()
            self._finish()
        finally:
            self._sweep()

    def _work(self, make: Make) -> None:
        try:
            while not self._failed.is_set():
                missing = [number for number in range(self.count) if written(self.folder, number) is None]
                if not missing:
                    return
                if not any(self._try(make, number) for number in missing):
                    time.sleep(_PATIENCE)
        except BaseException:
            self._failed.set()  # the other threads stop after their shard
            raise

    def _try(self, make: Make, number: int) -> bool:
        """Make one shard unless somebody is at it."""
        from filelock import FileLock, Timeout

        try:
            with FileLock(shard_file(self.folder, number).with_suffix(".lock"), timeout=0):
                if self._failed.is_set() or written(self.folder, number) is not None:
                    return False
                first = number * self.size
                self._write(number, *make(first, min(self.items, first + self.size)))
        except Timeout:
            return False
        if self.progress is not None:
            done = sum(written(self.folder, other) is not None for other in range(self.count))
            self.progress(min(self.items, done * self.size), self.items)
        return True

    def _write(self, number: int, rows: Array, facts: dict[str, Any]) -> None:
        path, note = shard_file(self.folder, number), note_file(self.folder, number)
        with temporary(path) as part:
            with part.open("wb") as handle:
                np.save(handle, rows)
                handle.flush()
                os.fsync(handle.fileno())
            document = {"rows": len(rows), "bytes": part.stat().st_size, "sha256": sha256(part), **facts}
            part.replace(path)
        _whole(note, document)

    def _finish(self) -> None:
        if complete(self.folder) is None:
            notes = [written(self.folder, number) or {} for number in range(self.count)]
            rows, size = (sum(int(note[key]) for note in notes) for key in ("rows", "bytes"))
            _whole(self.folder / READY, {**self.meta, "shards": self.count, "rows": rows, "bytes": size})

    def _sweep(self) -> None:
        """Locks go when nobody needs them any more; a folder without one finished shard goes too."""
        if complete(self.folder) is not None or not any(self.folder.glob("shard-*.npy")):
            for lock in self.folder.glob("*.lock"):
                lock.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()


def _whole(path: Path, document: dict[str, Any]) -> None:
    with temporary(path) as part:
        with part.open("w") as handle:
            json.dump(document, handle)
            handle.flush()
            os.fsync(handle.fileno())
        part.replace(path)
