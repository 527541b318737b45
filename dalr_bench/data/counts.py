"""How many rows each shard of a corpus has: noted when a shard was read to its end, so that others are found without reading."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import Any

from dalr_bench.cache import cache_root
from dalr_bench.errors import DataError, Fault, counted
from dalr_bench.orphans import temporary
from dalr_bench.streamed import Shards


class Counts:
    """Counts by shard, kept in the cache folder by the shards' fingerprints. Losing them costs time: shards are read again."""

    def __init__(self, shards: Shards) -> None:
        key = hashlib.sha256("\n".join(shards.fingerprints).encode()).hexdigest()[:32]
        self._names, self._file = shards.names, cache_root() / "counts" / f"{key}.json"
        self._found: list[int | None] = [None] * len(shards.names)
        self._fresh = False
        self._merge()

    def __getitem__(self, shard: int) -> int | None:
        return self._found[shard]

    @property
    def total(self) -> int | None:
        """Rows of all shards; None while one of them was not counted."""
        known = [count for count in self._found if count is not None]
        return sum(known) if len(known) == len(self._found) else None

    def note(self, shard: int, count: int) -> None:
        """A shard was read to its end. Raises DataError where it had another number of rows before."""
        known = self._found[shard]
        if known is not None and known != count:
            raise DataError(Fault(f"has {counted(count, 'row')} now and had {known} before: it changed", file=self._names[shard]))
        self._fresh |= known is None
        self._found[shard] = count

    def save(self) -> None:
        """Write what is new, with what other processes wrote meanwhile. A cache that cannot be written costs time only."""
        if not self._fresh:
            return
        self._merge()
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with temporary(self._file) as part:
                part.write_text(json.dumps({"rows": self._found}))
                part.replace(self._file)
            self._fresh = False

    def _merge(self) -> None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept: list[Any] = json.loads(self._file.read_text())["rows"]
            if len(kept) == len(self._found):
                self._found = [
                    mine if mine is not None else _whole(other) for mine, other in zip(self._found, kept, strict=True)
                ]


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
