"""Contrast: cross entropy of a matrix of similarities whose diagonal is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def matching(logits_NM: Tensor) -> Tensor:
    """mean_i −log softmax(logits_i)_i over M ≥ N columns: row i belongs to column i."""
    targets_N = torch.arange(len(logits_NM), device=logits_NM.device)
    return torch.nn.functional.cross_entropy(logits_NM, targets_N)


def matching_both_ways(logits_NN: Tensor) -> Tensor:
    """Half the sum of `matching` over rows and over columns."""
    return (matching(logits_NN) + matching(logits_NN.T)) / 2


def leave_out(logits_NM: Tensor, out_NM: Tensor | None) -> Tensor:
    """Logits with the marked pairs taken out of every sum (−∞)."""
    return logits_NM if out_NM is None else logits_NM.masked_fill(out_NM, float("-inf"))


def pairwise(logits_NN: Tensor, shared_NN: Tensor | None = None, out_NN: Tensor | None = None) -> Tensor:
    """−(1/N) Σ_ij log σ(y_ij · logit_ij): y = 1 on the diagonal and `shared_NN`, else −1; `out_NN` left out."""
    right_NN = torch.eye(len(logits_NN), dtype=torch.bool, device=logits_NN.device)
    if shared_NN is not None:
        right_NN = right_NN | shared_NN
    losses_NN = torch.nn.functional.softplus(torch.where(right_NN, -logits_NN, logits_NN))
    if out_NN is not None:
        losses_NN = losses_NN.masked_fill(out_NN, 0)
    return losses_NN.sum() / len(logits_NN)
