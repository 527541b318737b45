"""Matrices of cosines, the angular margin, and who may be paired with whom."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import torch

from dalr_bench import TeacherRows

if TYPE_CHECKING:
    from torch import Tensor

    from dalr_bench.types import Side

# Below this sin² the slope is cut: the true one is infinite at |cos| = 1, where float32 cannot tell angles apart.
_SMALLEST_SIN2 = 1e-6


def single(values: Tensor) -> Tensor:
    """Half precision to float32; float32 and float64 as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def exact(values: Tensor) -> AbstractContextManager[object]:
    """A block without autocast: a bfloat16 cosine is off by up to .004: .08 logits at τ = .05."""
    kind = values.device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()


def unit(rows: Tensor) -> Tensor:
    """Rows of length one, [..., D], in single precision or better."""
    return torch.nn.functional.normalize(single(rows), dim=-1)


def cosines(left_ND: Tensor, right_MD: Tensor) -> Tensor:
    """C_ij = cos(left_i, right_j), [N, M]."""
    with exact(left_ND):
        return unit(left_ND) @ unit(right_MD).T


def teacher_cosines(rows: TeacherRows, side: Side = "text") -> Tensor:
    """A teacher's similarity of every pair of the batch, [N, N], detached; a blend's mixed matrix where it has one."""
    rows_NT = rows.text_NT if side == "text" else rows.image_NE
    if rows_NT is not None and not (side == "text" and rows.sim_NN is not None):
        return cosines(rows_NT, rows_NT).detach()
    return single(rows.similarity_NN(side)).detach()


def with_margin(cos_NN: Tensor, margin: float, soft_NN: Tensor | None = None) -> Tensor:
    """Angular margin on the negatives: cos(θ − (1 − S)·m) where i ≠ j and θ > m, else C; S = 0 if not given.

    KDMCSE's ArcSimilarity (duyngtr16061999/KDMCSE@33270bc:src/model.py:70-95), which takes acos and has no finite
    gradient at |C| = 1. Here C·cos δ + √(1 − C²)·sin δ, equal in value, its slope bounded by flooring sin² at 1e-6.
    """
    if margin == 0:
        return cos_NN
    shift = cos_NN.new_full((), margin) if soft_NN is None else (1 - soft_NN) * margin
    chosen_NN = (cos_NN < math.cos(margin)) & ~diagonal(cos_NN)
    sin_NN = ((1 - cos_NN) * (1 + cos_NN)).clamp_min(_SMALLEST_SIN2).sqrt()
    return torch.where(chosen_NN, cos_NN * shift.cos() + sin_NN * shift.sin(), cos_NN)


def diagonal(like_NM: Tensor) -> Tensor:
    """True where row and column number agree, [N, M]."""
    return torch.eye(like_NM.shape[0], like_NM.shape[1], dtype=torch.bool, device=like_NM.device)


def without_diagonal(values_NN: Tensor) -> Tensor:
    """[N, N] → [N, N−1]: each row without its own column, the order kept."""
    n = len(values_NN)
    return values_NN.flatten()[1:].view(n - 1, n + 1)[:, :-1].reshape(n, n - 1) if n > 1 else values_NN[:, :0]


def same_image(keys_N: Tensor) -> Tensor:
    """True where two different sentences are captions of one picture, [N, N]; the diagonal is False."""
    same_NN = keys_N[:, None] == keys_N[None, :]
    return same_NN & ~diagonal(same_NN)
