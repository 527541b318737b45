"""Which rows make step t: a pure function of (seed, step), so that a run resumes from one integer.

Two streams mix as MCSE's training script does (uds-lsv/MCSE@3031426 src/train_mix.py:367-385): with k = batches of the first
stream // batches of the second, every k-th step is a batch of the second (k of 1 or 0 is refused: the first would never come up).
`every: k` and `ratio: r` set the share by hand.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from dalr_bench.config import TrainOptions
from dalr_bench.errors import SuiteError, counted

Rows = np.ndarray[tuple[int], np.dtype[np.int64]]


class InWindows(Protocol):
    """The rows of a stream that is read `window` rows at a time."""

    window: int

    def rows(self, at_least: int | None = None) -> int | None:
        """Rows of a pass; None where that is not known but there are at least so many."""
        ...


@dataclass(frozen=True)
class Place:
    """Where a step's rows are: the stream, its pass, the window of it (0 where it is no stream in windows), row numbers in that."""

    stream: str
    epoch: int
    window: int
    rows: Rows


def stream_key(seed: int, stream: str) -> list[int]:
    """Philox's key: the seed, and the stream's name (its hash where it does not fit into 64 bits)."""
    name = stream.encode()
    short = name if len(name) <= 8 else hashlib.sha256(name).digest()[:8]
    return [seed & (2**64 - 1), int.from_bytes(short, "little")]


@dataclass
class Schedule:
    """`at(step)` gives the stream and its row numbers; `steps` is the length of the run.

    `windows` are streams in windows: each window is gone through like a corpus of its own, `sizes` has the window's size.
    """

    sizes: Mapping[str, int]
    options: TrainOptions
    seed: int
    windows: Mapping[str, InWindows] = field(default_factory=dict)
    _orders: dict[str, tuple[tuple[int, int], Rows]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.sizes) > 2:
            raise SuiteError(f"a schedule mixes at most two streams, got {', '.join(self.sizes)}")
        for name in self.sizes:
            if self._cut(self.sizes[name]) == 0:
                rows = counted(self.sizes[name], "row")
                raise SuiteError(f"stream '{name}' has {rows}: too few for one batch of {self.options.batch} with last_batch: drop")
        if len(self.sizes) == 2 and self.options.mix == "interleave" and not self.windows and self.options.steps != 0:
            self._every()  # a stream that would never come up is told before the first step

    def batches(self, stream: str) -> int:
        """Batches in one pass over a stream. A last batch of a single row is left out: nothing to contrast it with."""
        found = self.windows.get(stream)
        if found is None:
            return self._cut(self.sizes[stream])
        rows = found.rows()
        if rows is None:
            raise SuiteError(
                f"stream '{stream}': how many rows its shards hold is not known, which train.epochs and train.mix: interleave go by; "
                "say rows: N at the stream, or train.steps and mix: every or ratio"
            )
        full, rest = divmod(rows, found.window)
        return full * self._cut(found.window) + self._cut(rest)

    def _cut(self, size: int) -> int:
        batch = self.options.batch
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
        found = self.place(step)
        return found.stream, found.rows

    def place(self, step: int) -> Place:
        """Where the rows of one step are."""
        first, *others = self.sizes
        if not others:
            return self._place(first, step)
        second = others[0]
        before = self._second_before(step)
        if self._second_before(step + 1) > before:
            return self._place(second, before)
        return self._place(first, step - before)

    def _second_before(self, step: int) -> int:
        if self.options.mix == "ratio":
            return math.floor(step * (self.options.ratio or 0))
        return -(-step // self._every())

    def _every(self) -> int:
        if self.options.mix == "every":
            return self.options.every or 1
        first, second = self.sizes
        there, other = self.batches(first), self.batches(second)
        if there < 2 * other:
            raise SuiteError(
                f"train.mix: interleave: '{first}' has {there} batches and '{second}' {other}, so every step would be of '{second}' "
                f"and none of '{first}'; name the longer stream first, or say mix: every or ratio"
            )
        return there // other

    def _place(self, stream: str, batch: int) -> Place:
        found = self.windows.get(stream)
        if found is None:
            epoch, position = divmod(batch, self.batches(stream))
            window, size = 0, self.sizes[stream]
        else:
            epoch, window, position, size = self._in_window(found, stream, batch)
        if self._orders.get(stream, (None, None))[0] != (epoch, window):
            key = stream_key(self.seed, stream)
            draw = np.random.Generator(np.random.Philox(key=key, counter=[epoch, window, 0, 0]))
            self._orders[stream] = (epoch, window), draw.permutation(size)
        first = position * self.options.batch
        return Place(stream, epoch, window, self._orders[stream][1][first : first + self.options.batch])

    def _in_window(self, found: InWindows, stream: str, batch: int) -> tuple[int, int, int, int]:
        """Pass, window, batch of the window, rows of the window. Where the end of a pass is not known yet, this is before it."""
        per_window = self._cut(found.window)
        rows = found.rows((batch // per_window + 1) * found.window)
        if rows is None:
            return 0, *divmod(batch, per_window), found.window
        epoch, batch = divmod(batch, self.batches(stream))
        window = min(batch // per_window, rows // found.window)
        return epoch, window, batch - window * per_window, min(found.window, rows - window * found.window)
