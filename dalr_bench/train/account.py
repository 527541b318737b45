"""What each part of a step costs: milliseconds forward and backward, and how far it raises the memory.

The step itself is watched, nothing is computed twice. Autograd goes back in the reverse order of the forward pass, one
node after another: the gradient of a part's output is ready exactly when everything after it has been gone through and
its own backward begins. A hook there reads the clock. So a term's cost is what it cost in the real step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from torch import Tensor

from dalr_bench.train.clocks import Clock, CudaClock, CudaGauge, Gauge, HostClock, HostGauge

WHOLE, REST = "step", "rest"
# Of a stream's steps the first warms up, the second is weighed, the third and then every n-th are timed.
_WEIGHED, _FIRST_TIMED = 1, 2

Cost = dict[str, float | None]


@dataclass
class Mark:
    """A moment of a step: the forward of `ends` is over, or the backward of `begins` starts."""

    ends: str | None
    begins: str | None
    reading: Any


@dataclass
class Account:
    """Costs by part of the steps of one run; every `every`-th step of a stream is timed (0: none, and nothing is
    weighed). A step's stream is `stream`; parts are told by `lap`. `weighs_host`: whether memory is counted on a CPU."""

    every: int
    weighs_host: bool = True
    marks: list[Mark] = field(default_factory=list)
    _read: Any = None
    _cuda: CudaGauge | None = None
    _seen: dict[str, int] = field(default_factory=dict)
    _times: dict[str, list[dict[str, list[float]]]] = field(default_factory=dict)
    _waiting: list[tuple[str, list[Mark], Clock]] = field(default_factory=list)
    _bytes: dict[str, int] = field(default_factory=dict)
    _beside: dict[str, list[tuple[int, Any, Any, Clock]]] = field(default_factory=dict)

    @contextmanager
    def step(self, stream: str, device: torch.device, unlike: bool = False) -> Iterator[None]:
        """One step of a stream, watched if it is its turn and not `unlike` others. Changes nothing of it."""
        count = self._seen.get(stream, 0)
        self._seen[stream] = count + 1
        if unlike or not self.every:
            yield
        elif count == _WEIGHED and (self.weighs_host or device.type == "cuda"):
            yield from self._weighed(device)
        elif count >= _FIRST_TIMED and (count - _FIRST_TIMED) % self.every == 0:
            yield from self._timed(stream, device)
        else:
            yield

    def lap(self, part: str, *outputs: Tensor) -> None:
        """The forward of `part` has just ended; its backward begins where the first gradient of `outputs` is ready."""
        if self._read is None:
            return
        self._mark(part, None)
        for output in outputs:
            if (
                output.requires_grad and not output.is_leaf
            ):  # a leaf's gradient ends a pass: what comes then tells (`begins`)
                output.register_hook(lambda _: self.begins(part))

    def begins(self, part: str) -> None:
        """The backward of `part` begins now."""
        if self._read is not None:
            self._mark(None, part)

    @contextmanager
    def aside(self, part: str, device: torch.device) -> Iterator[None]:
        """Work beside the step itself, timed each time it is done; a step may do it bit by bit."""
        clock = _clock(device)
        start = clock.now()
        yield
        self._beside.setdefault(part, []).append((sum(self._seen.values()), start, clock.now(), clock))

    def backward_ended(self) -> None:
        """All gradients are there."""
        if self._read is not None:
            self._mark(None, REST)

    def _mark(self, ends: str | None, begins: str | None) -> None:
        self.marks.append(Mark(ends, begins, self._read()))

    def _timed(self, stream: str, device: torch.device) -> Iterator[None]:
        clock = _clock(device)
        yield from self._watched(clock.now)
        self._waiting.append((stream, self.marks, clock))

    def _weighed(self, device: torch.device) -> Iterator[None]:
        gauge: Gauge = self._cuda_gauge(device) if device.type == "cuda" else HostGauge()
        with gauge.open():
            yield from self._watched(gauge.read)
        self._weigh(self.marks)

    def _watched(self, read: Any) -> Iterator[None]:
        self.marks, self._read = [], read
        self._mark(None, REST)
        try:
            yield
        finally:
            self._read = None

    def _cuda_gauge(self, device: torch.device) -> CudaGauge:
        self._cuda = self._cuda or CudaGauge(device)
        return self._cuda

    @property
    def highest(self) -> int:
        """The CUDA allocator's peak before it was last started anew; 0 where it never was."""
        return 0 if self._cuda is None else self._cuda.highest

    # -------------------------------------------------------------- what came out
    def _weigh(self, marks: list[Mark]) -> None:
        base = marks[0].reading[0]
        top = base
        for owner, _, before, after in intervals(marks):
            rise = after.reading[1] - before.reading[0]
            top = max(top, after.reading[1])
            self._bytes[owner] = max(self._bytes.get(owner, 0), rise)
        self._bytes[WHOLE] = max(self._bytes.get(WHOLE, 0), top - base)

    def settle(self) -> None:
        """Turn the marks of steps that have passed into milliseconds."""
        for stream, marks, clock in self._waiting:
            found: dict[str, list[float]] = {}
            for owner, way, before, after in intervals(marks):
                found.setdefault(owner, [0.0, 0.0])[way] += clock.ms(before.reading, after.reading)
            self._times.setdefault(stream, []).append(found)
        self._waiting.clear()

    def costs(self) -> dict[str, Cost]:
        """By part: `ms_per_step` (mean over the streams by their share of the steps, median over the watched steps of
        each), of it `forward_ms` and `backward_ms`; `share` of the steps that have this part; `peak_bytes`, the
        highest rise above the level at which the part began. What was not watched is None."""
        self.settle()
        names = [name for steps in self._times.values() for found in steps for name in found]
        order = list(dict.fromkeys([WHOLE, *names, *self._bytes]))
        found = {name: self._cost(name) for name in order} if self._times or self._bytes else {}
        return {**found, **{name: self._cost_beside(name) for name in self._beside}}

    def _cost_beside(self, name: str) -> Cost:
        """Spread over all steps of the run."""
        total, times = sum(self._seen.values()), self._beside[name]
        ms = sum(clock.ms(start, end) for _, start, end, clock in times)
        share = len({step for step, *_ in times}) / total
        return {
            "ms_per_step": ms / total,
            "forward_ms": None,
            "backward_ms": ms / total,
            "share": share,
            "peak_bytes": None,
        }

    def _cost(self, name: str) -> Cost:
        total = sum(self._seen.values())
        known = all(stream in self._times for stream in self._seen)
        ways, share = [0.0, 0.0], 0.0
        for stream, steps in self._times.items():
            weight = self._seen[stream] / total
            found = [_sum(step) if name == WHOLE else step[name] for step in steps if name == WHOLE or name in step]
            share += weight if found else 0.0
            for way in (0, 1):
                ways[way] += weight * median(each[way] for each in found) if found else 0.0
        return {
            "ms_per_step": sum(ways) if known else None,
            "forward_ms": ways[0] if known else None,
            "backward_ms": ways[1] if known else None,
            "share": share if known else None,
            "peak_bytes": self._bytes.get(name),
        }


def _clock(device: torch.device) -> Clock:
    return CudaClock() if device.type == "cuda" else HostClock()


def _sum(step: dict[str, list[float]]) -> list[float]:
    return [sum(each[way] for each in step.values()) for way in (0, 1)]


def intervals(marks: list[Mark]) -> Iterator[tuple[str, int, Mark, Mark]]:
    """(part, 0 forward or 1 backward, its first mark, its last): whose work lay between two neighbouring marks."""
    current: str | None = None
    for before, after in pairwise(marks):
        current = before.begins or current
        if after.ends is not None:
            yield after.ends, 0, before, after
        else:
            yield current or REST, 1, before, after
