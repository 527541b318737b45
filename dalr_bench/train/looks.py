"""All that looks at a training step without changing it, as the loop sees it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dalr_bench.config import TrainOptions
from dalr_bench.train.account import Account
from dalr_bench.train.conflict import Conflict


@dataclass
class Looks:
    """What steps cost, and how their terms pull. `lap` is told by loop and objective where a part's forward ends."""

    account: Account
    conflict: Conflict
    pulls: dict[str, Tensor] = field(default_factory=dict)

    def step(self, step: int, stream: str, device: torch.device) -> AbstractContextManager[None]:
        """One step. What is looked at for its gradients costs more than others, so it is not timed."""
        self.conflict.begin(step)
        self.pulls = {}
        return self.account.step(stream, device, unlike=self.conflict.due(step))

    def pull(self, step: int, student: nn.Module, device: torch.device) -> None:
        """Columns on the terms' gradients, where it is this step's turn: between its forward and backward pass."""
        if self.conflict.due(step):
            with self.account.aside("gradients", device):
                self.pulls = self.conflict.measure(student)

    def lap(self, part: str, *outputs: Tensor) -> None:
        """The forward of `part` has just ended with these outputs."""
        self.account.lap(part, *outputs)
        self.conflict.lap(part, *outputs)


def looks(options: TrainOptions) -> Looks:
    """As the `train` section asks for. Nothing is compiled under the eyes of a gauge on a CPU, so a compiled step is not weighed there."""
    account = Account(options.account_every, weighs_host=options.compile == "none")
    return Looks(account, Conflict(options.gradients_every))
