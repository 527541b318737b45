"""How the terms of a loss pull at the shared encoder: norm of each term's gradient, and the cosine of every pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, combinations_with_replacement

import torch
from torch import Tensor, nn

_TERM = "losses."


@dataclass
class Conflict:
    """Every `every`-th step (0: never) each weighted term is sent back alone through the step's own graph.

    g_k = ∂(w_k·L_k)/∂θ over the student's weights θ, those that are trained; `grad(k)` = ‖g_k‖, `cosine(a, b)` =
    g_a·g_b / (‖g_a‖·‖g_b‖). Nothing is written to `.grad`, and no value of the step depends on it. Costs one backward
    pass of the student for each term, and memory for as many gradients.
    """

    every: int
    _terms: dict[str, Tensor] = field(default_factory=dict)
    _wanted: bool = False

    def due(self, step: int) -> bool:
        """Whether this step (from 0) is looked at: the first, then every n-th."""
        return bool(self.every) and step % self.every == 0

    def begin(self, step: int) -> None:
        """Forget the terms of the step before."""
        self._terms = {}
        self._wanted = self.due(step)

    def lap(self, part: str, *outputs: Tensor) -> None:
        """Keep a term's weighted value until it is measured."""
        if self._wanted and part.startswith(_TERM) and outputs[0].requires_grad:
            self._terms[part.removeprefix(_TERM)] = outputs[0]

    def measure(self, student: nn.Module) -> dict[str, Tensor]:
        """Scalars of this step; a cosine with a term that does not reach the student is not a number."""
        terms, self._terms = self._terms, {}
        weights = trained(student)
        grads = [torch.autograd.grad(t, weights, retain_graph=True, allow_unused=True) for t in terms.values()]
        return columns(list(terms), gram(grads))

    def on_rows(self, rows: Sequence[Tensor]) -> dict[str, Sequence[Tensor | None]]:
        """Each term's gradient on the encodings that the losses looked at, where these have no graph to the student."""
        terms, self._terms = self._terms, {}
        return {
            name: torch.autograd.grad(term, rows, retain_graph=True, allow_unused=True) for name, term in terms.items()
        }


def trained(student: nn.Module) -> list[nn.Parameter]:
    """The weights that gradients are of."""
    return [weight for weight in student.parameters() if weight.requires_grad]


def gram(grads: Sequence[Sequence[Tensor | None]]) -> Tensor:
    """g_a·g_b of every pair, [K, K] in float64; a weight that a term does not reach counts as zero there."""
    device = next((grad.device for each in grads for grad in each if grad is not None), torch.device("cpu"))
    gram_KK = torch.zeros(len(grads), len(grads), dtype=torch.float64, device=device)
    for a, b in combinations_with_replacement(range(len(grads)), 2):
        both = [(g, h) for g, h in zip(grads[a], grads[b], strict=True) if g is not None and h is not None]
        if both:
            parts = torch.stack([torch.dot(g.flatten(), h.flatten()) for g, h in both]).double()
            gram_KK[a, b] = gram_KK[b, a] = parts.sum()
    return gram_KK


def columns(names: Sequence[str], gram_KK: Tensor) -> dict[str, Tensor]:
    """`grad(a)` and `cosine(a, b)`, float64 scalars on the device."""
    norm_K = gram_KK.diagonal().sqrt()
    found: Mapping[str, Tensor] = {f"grad({name})": norm_K[i] for i, name in enumerate(names)}
    pairs = combinations(range(len(names)), 2)
    cosines = {f"cosine({names[a]}, {names[b]})": gram_KK[a, b] / (norm_K[a] * norm_K[b]) for a, b in pairs}
    return {**found, **cosines}
