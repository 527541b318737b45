"""Which rows make step t: a pure function of (seed, step), so that a run resumes from one integer.

Two streams mix as MCSE's training script does (uds-lsv/MCSE@3031426 src/train_mix.py:367-385): with k = batches of the first
stream // batches of the second, every k-th step is a batch of the second. `every: k` and `ratio: r` set the share by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dalr_bench.config import TrainOptions
from dalr_bench.errors import SuiteError

Rows = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass
class Schedule:
    """`at(step)` gives the stream and its row numbers; `steps` is the length of the run."""

    sizes: Mapping[str, int]
    options: TrainOptions
    seed: int
    _epochs: dict[str, tuple[int, Rows]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.sizes) > 2:
            raise SuiteError(f"a schedule mixes at most two streams, got {', '.join(self.sizes)}")
        for name in self.sizes:
            if self.batches(name) == 0:
                raise SuiteError(
                    f"stream '{name}' has {self.sizes[name]} rows: too few for one batch of {self.options.batch} with last_batch: drop"
                )

    def batches(self, stream: str) -> int:
        """Batches in one pass over a stream. A last batch of a single row is left out: nothing to contrast it with."""
        size, batch = self.sizes[stream], self.options.batch
        rest = size % batch
        return size // batch + int(self.options.last_batch == "keep" and rest >= 2)

    @property
    def steps(self) -> int:
        """`train.steps`, or `train.epochs` passes over all streams (the first one's batches plus the second's)."""
        if self.options.steps is not None:
            return self.options.steps
        return round((self.options.epochs or 0) * sum(self.batches(name) for name in self.sizes))

    def at(self, step: int) -> tuple[str, Rows]:
        """Stream and rows of one step; the second stream's share is exact at every prefix."""
        first, *others = self.sizes
        if not others:
            return first, self._rows(first, step)
        second = others[0]
        before = self._second_before(step)
        if self._second_before(step + 1) > before:
            return second, self._rows(second, before)
        return first, self._rows(first, step - before)

    def _second_before(self, step: int) -> int:
        if self.options.mix == "ratio":
            return math.floor(step * (self.options.ratio or 0))
        return -(-step // self._every())

    def _every(self) -> int:
        if self.options.mix == "every":
            return self.options.every or 1
        first, second = self.sizes
        return max(1, self.batches(first) // self.batches(second))

    def _rows(self, stream: str, batch: int) -> Rows:
        per_epoch = self.batches(stream)
        epoch, position = divmod(batch, per_epoch)
        if self._epochs.get(stream, (-1, None))[0] != epoch:
            name = int.from_bytes(stream.encode()[:8], "little")
            draw = np.random.Generator(np.random.Philox(key=[self.seed & (2**64 - 1), name], counter=[epoch, 0, 0, 0]))
            self._epochs[stream] = (epoch, draw.permutation(self.sizes[stream]))
        size = self.options.batch
        return self._epochs[stream][1][position * size : (position + 1) * size]
