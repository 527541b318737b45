"""How the terms pull where nobody has the graph of the whole batch: in pieces (`gradcache`), and on several processes.

Each term's gradient on the encodings of the whole batch is known; it goes back through every piece's graph before the step's own
gradient does. So a look costs one backward pass of the student for each term, no further forward pass, and memory for a gradient of
each term beside one piece's graph. Several processes then add up their gradients: one all-reduce of the student's size for each
term. Where weights are cut among them each backward pass gathers them and adds up the parts, as the step's own does, and only the
[K, K] products go round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from dalr_bench.train.conflict import columns, gram, trained
from dalr_bench.train.distributed import Group, is_part

# Gradients on the encodings of a batch → outputs of a piece, and their gradients.
Sent = Callable[[Sequence[Tensor | None]], tuple[Sequence[Tensor], Sequence[Tensor]]]


@dataclass
class Pieces:
    """A step's terms, whose gradients are added up over its pieces, and then over the processes of `group`. `on_rows`: by
    term, its gradient on each tensor of the whole batch's encodings."""

    student: Any
    group: Group
    on_rows: Mapping[str, Sequence[Tensor | None]]
    _sums: dict[str, list[Tensor | None]] = field(default_factory=dict)

    def add(self, sent: Sent) -> None:
        """One piece: every term's gradient on its rows through its graph, which stays for the step."""
        weights = self._weights()
        for name, on_rows in self.on_rows.items():
            more = _through(*sent(on_rows), weights)
            before = self._sums.get(name, [None] * len(weights))
            self._sums[name] = [_plus(one, other) for one, other in zip(before, more, strict=True)]

    def settle(self) -> dict[str, Tensor]:
        """Scalars of this step, equal at every process. Where a weight is a copy its gradient goes round, once for each term;
        of one that is cut, whose gradient was added up on the way, the products of the parts do."""
        weights = self._weights()
        parts = [[g.to_local() if is_part(g) else None for g in each] for each in self._sums.values()]
        for name, each in self._sums.items():
            self._sums[name] = self._totals([None if is_part(g) else g for g in each])
        gram_KK = gram(list(self._sums.values())).to(weights[0].device)
        if any(map(is_part, weights)):
            gram_KK = gram_KK + self.group.totals([gram(parts).to(gram_KK.device)])[0]
        return columns(list(self._sums), gram_KK)

    def _weights(self) -> list[nn.Parameter]:
        if self.group.shard is not None:
            self.student.reshard()  # between two passes the outermost ones stand there whole, as other tensors
        return trained(self.student)

    def _totals(self, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        found = iter(self.group.totals([gradient for gradient in gradients if gradient is not None]))
        return [None if gradient is None else next(found) for gradient in gradients]


def _plus(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return other if one is None else one if other is None else one + other


def _through(outputs: Sequence[Tensor], gradients: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor | None]:
    """∂/∂weights. Weights that are cut get theirs in `.grad` only, from where it is taken away; what was there before stays."""
    if not outputs:
        return [None] * len(weights)
    if not any(map(is_part, weights)):
        return list(torch.autograd.grad(outputs, weights, gradients, retain_graph=True, allow_unused=True))
    before = [_put(weight, None) for weight in weights]
    torch.autograd.backward(outputs, gradients, retain_graph=True)
    return [_put(weight, grad) for weight, grad in zip(weights, before, strict=True)]


def _put(weight: Tensor, grad: Tensor | None) -> Tensor | None:
    before, weight.grad = weight.grad, grad
    return before
