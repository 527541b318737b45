"""One vector against the tokens of its own sentence and of all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from dalr_bench_plugins.formulas.similarity import exact, single

if TYPE_CHECKING:
    from torch import Tensor


def global_to_local(states_NLT: Tensor, mask_NL: Tensor, rows_NT: Tensor, temperature: float) -> Tensor:
    """mean_i mean_t −log [e^{l_it·g_i/τ} / (e^{l_it·g_i/τ} + Σ_{j≠i,u} e^{l_ju·g_i/τ})] over real tokens t, u.

    The sum over other sentences' tokens is the same for every t of i, so each term is softplus(log-sum − own score).
    """
    n, length, width = states_NLT.shape
    with exact(rows_NT):
        products_NK = single(rows_NT) @ single(states_NLT).reshape(n * length, width).T
    scores_NNL = products_NK.view(n, n, length) / temperature
    own_NL = scores_NNL.diagonal(dim1=0, dim2=1).T
    self_NN = torch.eye(n, dtype=torch.bool, device=rows_NT.device)
    out_NNL = self_NN[:, :, None] | (mask_NL == 0)[None]
    others_N = scores_NNL.masked_fill(out_NNL, torch.finfo(scores_NNL.dtype).min).flatten(1).logsumexp(1)
    losses_NL = torch.nn.functional.softplus(others_N[:, None] - own_NL) * mask_NL
    return (losses_NL.sum(1) / mask_NL.sum(1).clamp_min(1)).mean()
