"""Real steps of the engine at every point of an axis, one each in turn: what else the machine does falls on all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch
from torch import Tensor

from dalr_bench.errors import SuiteError
from dalr_bench.growth.points import Point
from dalr_bench.protocols import TrainedRun
from dalr_bench.train.account import WHOLE, Account
from dalr_bench.train.conflict import Conflict
from dalr_bench.train.engine import Engine
from dalr_bench.train.looks import Looks
from dalr_bench.train.optim import optimizer
from dalr_bench.workshop import Built, Workshop, train_options

_NOT_TIMED = 1 << 30  # the account weighs a stream's second step, which is not among the measured ones
_WARM = 2


@dataclass(frozen=True)
class Grown:
    """A point measured: seconds by round (of the processor, or of a GPU), bytes a step adds at most, bytes that stay."""

    point: Point
    seconds: Sequence[float]
    peak_bytes: float | None
    resident_bytes: int
    sentences: int
    tokens: float

    @property
    def second(self) -> float:
        """Median of a step."""
        return median(self.seconds)


def grow(points: Sequence[Point], workshop: Workshop, rounds: int) -> list[Grown]:
    """Two steps of every point to warm up, then `rounds` of each in turn."""
    sides = [Side.of(point, workshop) for point in points]
    for number in range(_WARM + rounds):
        for side in sides:
            side.step(number)
    return [side.grown() for side in sides]


@dataclass
class Side:
    """One point's run, as far as steps go."""

    point: Point
    engine: Engine
    built: Built
    adam: torch.optim.Optimizer
    seconds: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, point: Point, workshop: Workshop) -> Side:
        """Everything a run of this config trains with, its stores built."""
        built = workshop.build(point.config, _nothing_trained)
        options = train_options(point.config).model_copy(update={"last_batch": "drop"})  # every step a whole batch
        seed = point.config["seed"]
        schedule = workshop.schedule(built, options, seed)
        engine = Engine(
            built.student, built.objective, workshop.streams(built), schedule, options, seed, workshop.device
        )
        engine.looks = Looks(Account(_NOT_TIMED), Conflict(0))
        return cls(point, engine, built, optimizer(engine.student, engine.objective, options))

    def step(self, number: int) -> None:
        """One step of training; timed once warm."""
        start = self._now()
        self.engine.update(number, self.adam)
        seconds = self._since(start)
        if number > _WARM - 1:
            self.seconds.append(seconds)
            mask_NL = self.engine.batch(number).tokens.mask_NL
            self.tokens.append(float(mask_NL.sum() / len(mask_NL)))

    def grown(self) -> Grown:
        """What was measured."""
        peak = self.engine.looks.account.costs().get(WHOLE, {}).get("peak_bytes")
        batch = len(self.engine.schedule.at(_WARM)[1])
        tokens = sum(self.tokens) / len(self.tokens)
        return Grown(self.point, self.seconds, peak, self._resident(), batch, tokens)

    def _resident(self) -> int:
        """Weights, moments, gradients apart; token ids and teachers' rows."""
        parts = [*self.engine.student.parameters(), *self.engine.objective.parameters()]
        moments = [value for state in self.adam.state.values() for value in state.values()]
        streams = [value for stream in self.engine.streams.values() for value in tensors_in(vars(stream).values())]
        return sum({t.data_ptr(): t.nbytes for t in (*parts, *tensors_in(moments), *streams)}.values())

    def _now(self) -> Any:
        if self.engine.device.type != "cuda":
            return time.process_time()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _since(self, start: Any) -> float:
        end = self._now()
        if self.engine.device.type != "cuda":
            return float(end - start)
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3


def tensors_in(values: Any) -> Iterator[Tensor]:
    """The tensors that plain objects, lists and maps hold, however deep."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, dict):
            yield from tensors_in(value.values())
        elif isinstance(value, list | tuple):
            yield from tensors_in(value)
        elif type(value).__module__.startswith("dalr_bench.data"):
            yield from tensors_in(vars(value).values())


def _nothing_trained(variant: str, seed: int | None) -> TrainedRun:
    raise SuiteError("a point of growth asks for a trained run; here nothing is trained")
