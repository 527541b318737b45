"""All that looks at a training step without changing it, as the loop sees it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dalr_bench.config import TrainOptions
from dalr_bench.train.account import Account
from dalr_bench.train.conflict import Conflict
from dalr_bench.train.conflict_pieces import Pieces, Sent
from dalr_bench.train.distributed import Group


@dataclass
class Looks:
    """What steps cost, and how their terms pull. `lap` is told by loop and objective where a part's forward ends."""

    account: Account
    conflict: Conflict
    pulls: dict[str, Tensor] = field(default_factory=dict)
    _pieces: Pieces | None = None
    _device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def step(self, step: int, stream: str, device: torch.device) -> AbstractContextManager[None]:
        """One step. What is looked at for its gradients costs more than others, so it is not timed."""
        self.conflict.begin(step)
        self.pulls, self._device = {}, device
        return self.account.step(stream, device, unlike=self.conflict.due(step))

    def pull(self, step: int, student: nn.Module) -> None:
        """Columns on the terms' gradients, where it is this step's turn: between its forward and backward pass."""
        if self.conflict.due(step):
            with self.account.aside("gradients", self._device):
                self.pulls = self.conflict.measure(student)

    def split(self, step: int, student: nn.Module, group: Group, rows: Sequence[Tensor]) -> None:
        """The same of a batch in pieces, begun between the losses' forward and backward pass: `rows` are what they looked at."""
        self._pieces = None
        if self.conflict.due(step):
            with self.account.aside("gradients", self._device):
                self._pieces = Pieces(student, group, self.conflict.on_rows(rows))

    def piece(self, sent: Sent) -> None:
        """A piece is encoded, and its graph is there; `sent` cuts gradients on the rows to it."""
        if self._pieces is not None:
            with self.account.aside("gradients", self._device):
                self._pieces.add(sent)

    def settle(self) -> None:
        """All pieces went back. All processes come here at the same steps; each has the columns then."""
        if self._pieces is not None:
            with self.account.aside("gradients", self._device):
                self.pulls = self._pieces.settle()
            self._pieces = None

    def begins(self, part: str) -> None:
        """The backward of `part` begins, where no gradient tells."""
        self.account.begins(part)

    def lap(self, part: str, *outputs: Tensor) -> None:
        """The forward of `part` has just ended with these outputs."""
        self.account.lap(part, *outputs)
        self.conflict.lap(part, *outputs)


def looks(options: TrainOptions) -> Looks:
    """As the `train` section asks for. Nothing is compiled under the eyes of a gauge on a CPU, so a compiled step is not weighed there."""
    account = Account(options.account_every, weighs_host=options.compile == "none")
    return Looks(account, Conflict(options.gradients_every))
