"""Kullback–Leibler and Jensen–Shannon divergences of the rows of logits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch

from dalr_bench_plugins.formulas.similarity import without_diagonal

if TYPE_CHECKING:
    from torch import Tensor

Rows = Literal["mean", "sum"]
Diagonal = Literal["include", "exclude"]


def log_shares(logits_NM: Tensor) -> Tensor:
    """log softmax of every row."""
    return torch.log_softmax(logits_NM, dim=1)


def kl(log_q_NM: Tensor, log_p_NM: Tensor) -> Tensor:
    """KL(q ‖ p) of every row, [N]."""
    return (log_q_NM.exp() * (log_q_NM - log_p_NM)).sum(1)


def js(log_p_NM: Tensor, log_q_NM: Tensor) -> Tensor:
    """½ KL(p ‖ m) + ½ KL(q ‖ m), m = (p + q)/2, of every row, [N]: between 0 and log 2."""
    log_m_NM = torch.logaddexp(log_p_NM, log_q_NM) - math.log(2)
    return (kl(log_p_NM, log_m_NM) + kl(log_q_NM, log_m_NM)) / 2


def listed(values_NN: Tensor, diagonal: Diagonal) -> Tensor:
    """The entries of a square matrix that take part, [N, N] or [N, N−1]."""
    return values_NN if diagonal == "include" else without_diagonal(values_NN)


def reduced(values_N: Tensor, rows: Rows) -> Tensor:
    """Mean or sum over the sentences of the batch."""
    return values_N.mean() if rows == "mean" else values_N.sum()
