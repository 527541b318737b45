"""How far training has come: all that its next step depends on beside (seed, step), and what it has to show so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from dalr_bench.train.account import Cost

State = dict[str, Tensor]


@dataclass
class Trained:
    """What came out: the step whose weights were kept, the dev curve, seconds by part, peak bytes."""

    steps: int
    best_step: int
    dev_curve: list[dict[str, float]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    peak_bytes: int = 0
    costs: dict[str, Cost] = field(default_factory=dict)


@dataclass
class Keeper:
    """The best weights so far, kept on the host."""

    student: nn.Module
    objective: nn.Module
    best: float = float("-inf")
    weights: tuple[State, State] | None = None

    def offer(self, value: float) -> bool:
        """Keep the current weights if they are better; the earlier of two equals stays."""
        if not value > self.best and self.weights is not None:
            return False
        self.best = value
        self.weights = (_copy(self.student), _copy(self.objective))
        return True

    def restore(self) -> None:
        if self.weights is not None:
            self.student.load_state_dict(self.weights[0])
            self.objective.load_state_dict(self.weights[1])


@dataclass
class Course:
    """What a checkpoint holds."""

    student: nn.Module
    objective: nn.Module
    adam: torch.optim.Optimizer
    keeper: Keeper
    result: Trained
    _since: float = field(default_factory=time.perf_counter)

    def clock(self, part: str = "train") -> None:
        """Count the time since the last call as seconds of that part."""
        now = time.perf_counter()
        self.result.seconds[part] = self.result.seconds.get(part, 0.0) + now - self._since
        self._since = now

    def checked(self, step: int) -> bool:
        """Whether the dev score of that step is there."""
        return any(point["step"] == step for point in self.result.dev_curve)


class Saver(Protocol):
    """Keeps checkpoints. `load` puts the newest into the course and returns its step, 0 where there is none."""

    def load(self, course: Course) -> int: ...
    def due(self, step: int) -> bool: ...
    def save(self, step: int, course: Course) -> None: ...


def _copy(module: nn.Module) -> State:
    return {name: value.detach().to("cpu", copy=True) for name, value in module.state_dict().items()}
