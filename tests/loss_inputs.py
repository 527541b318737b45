"""What a step would hand to a loss, made of plain tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dalr_bench import Batch, Encoding, JointSpace, LossInputs, TeacherRows, TokenBatch


def loss_inputs(
    projected: Sequence[Tensor],
    teachers: Mapping[str, TeacherRows] | None = None,
    *,
    pooled: Sequence[Tensor] | None = None,
    images: Sequence[int] | None = None,
    tokens: TokenBatch | None = None,
    pixels: Tensor | None = None,
    spaces: Mapping[str, JointSpace] | None = None,
    seed: int = 0,
) -> LossInputs:
    """One [N, D] tensor per view; `pooled` is `projected` where not given; `images` are the sentences' image keys."""
    device = projected[0].device
    n = len(projected[0])
    if tokens is None:
        one = torch.ones(n, 1, dtype=torch.long, device=device)
        tokens = TokenBatch(one, one)
    keys = None if images is None else torch.tensor(list(images), device=device)
    given = dict(teachers or {})
    batch = Batch("pairs", torch.arange(n, device=device), tokens, keys, given, pixels)
    encoding = Encoding(torch.stack(list(pooled or projected), 1), torch.stack(list(projected), 1))
    return LossInputs(batch, encoding, given, dict(spaces or {}), 0, torch.Generator().manual_seed(seed))
