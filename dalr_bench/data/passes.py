"""Passes over shards: in which order they are read, and where in it a window begins."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np

from dalr_bench.data.counts import Counts
from dalr_bench.data.schedule import stream_key
from dalr_bench.data.segments import Row, gathered
from dalr_bench.data.spool import Spool
from dalr_bench.errors import DataError
from dalr_bench.streamed import Shards
from dalr_bench.types import Corpus


class StoppedError(Exception):
    """Nobody waits for this window any more."""


class Passes:
    """The rows of a corpus in shards, pass after pass. The order of the shards is a pure function of (seed, stream, pass)."""

    def __init__(self, shards: Shards, seed: int, stream: str) -> None:
        self.shards, self.counts, self.stop = shards, Counts(shards), threading.Event()
        self._key = stream_key(seed, stream)
        self._next: tuple[tuple[int, int], Iterator[Row]] | None = None

    def order(self, epoch: int) -> Sequence[int]:
        """Shards of one pass, by number."""
        draw = np.random.Generator(np.random.Philox(key=self._key, counter=[0, epoch, 1, 0]))
        order: list[int] = draw.permutation(len(self.shards.names)).tolist()
        return order

    def window(self, epoch: int, number: int, spool: Spool | None) -> tuple[Corpus, bool]:
        """Window `number` of a pass, and whether it is the last one. Beyond the end it is empty.

        Reading goes on where the last window ended; elsewhere it begins at the first shard that was not counted before.
        """
        rows = self._at(epoch, number)
        self._next = None
        corpus = gathered(islice(rows, self.shards.window), self.shards, spool)
        further = next(rows, None)
        if further is not None:
            self._next = (epoch, number + 1), chain([further], rows)
        self.counts.save()
        return corpus, further is None

    def _at(self, epoch: int, number: int) -> Iterator[Row]:
        if self._next is not None and self._next[0] == (epoch, number):
            return self._next[1]
        return self._rows(epoch, number * self.shards.window)

    def _rows(self, epoch: int, skip: int) -> Iterator[Row]:
        """All rows of a pass but the first `skip`."""
        for shard in self.order(epoch):
            known = self.counts[shard]
            if known is not None and known <= skip:
                skip -= known
                continue
            count = 0
            for row in _of_shard(self.shards, shard):
                if self.stop.is_set():
                    raise StoppedError
                count += 1
                if count > skip:
                    yield row
            self.counts.note(shard, count)
            skip = max(0, skip - count)


def opening(shards: Shards, count: int, place: Path) -> tuple[Corpus, Spool | None]:
    """The first `count` rows as the shards are listed; its pictures lie in the spool. Raises DataError where there is none."""
    spool = Spool(place) if shards.pictures else None
    rows = chain.from_iterable(_of_shard(shards, shard) for shard in range(len(shards.names)))
    corpus = gathered(islice(rows, count), shards, spool)
    if not corpus.sentences:
        raise DataError(f"{shards.names[0] if shards.names else 'the list of shards'}: no shard holds a sentence")
    return corpus, spool


def _of_shard(shards: Shards, shard: int) -> Iterator[Row]:
    for record, sample in enumerate(shards.read(shard)):
        for index in range(len(sample.sentences)):
            yield Row(shard, record, index, sample)
