"""The likelihood of an order: Plackett–Luce, as ListMLE uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def order_losses(scores_NM: Tensor, floor: float = 0.0) -> Tensor:
    """ℓ_j = log Σ_{k≥j} exp s_k − s_j for scores already in the wished order, [N, M]; Σ_j ℓ_j = −log P(order).

    `floor` > 0 gives log(Σ exp(s_k − max) + floor) − (s_j − max) instead, as the released code does: items far below
    the best one (16 units at 1e-7) count for less.
    """
    if floor == 0:
        return scores_NM.flip(1).logcumsumexp(1).flip(1) - scores_NM
    below_NM = scores_NM - scores_NM.max(dim=1, keepdim=True).values
    return (below_NM.exp().flip(1).cumsum(1).flip(1) + floor).log() - below_NM


def descending(scores_NM: Tensor, tie_order_M: Tensor | None = None) -> Tensor:
    """Columns of every row from the highest score to the lowest, [N, M]; ties by column, or in a given order."""
    if tie_order_M is None:
        return scores_NM.argsort(dim=1, descending=True, stable=True)
    return tie_order_M[scores_NM[:, tie_order_M].argsort(dim=1, descending=True, stable=True)]
