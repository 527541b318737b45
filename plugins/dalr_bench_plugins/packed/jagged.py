"""Attention of many lengths at once on a CUDA device: torch's nested tensors, whose kernels know no padding."""

from __future__ import annotations

import warnings

import torch
from torch.nn import functional as F

from dalr_bench_plugins.packed.layers import Layer
from dalr_bench_plugins.packed.packing import Packing


def attend_jagged(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, layer: Layer, packing: Packing
) -> torch.Tensor:
    """softmax(q k / sqrt(d)) v within each sentence, [V*T, H] each. Lengths come from the host: nothing is asked."""
    start_S = packing.on(query.device).start_S
    shortest, longest = int(packing.sorted_N[0]), int(packing.sorted_N[-1])

    def nested(part: torch.Tensor) -> torch.Tensor:
        rows = part.view(len(part), layer.heads, -1)
        made = torch.nested.nested_tensor_from_jagged(rows, start_S, min_seqlen=shortest, max_seqlen=longest)
        return made.transpose(1, 2)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The PyTorch API of nested tensors", UserWarning)
        parts = nested(query), nested(key), nested(value)
        found = F.scaled_dot_product_attention(*parts, dropout_p=layer.attention_dropout)
    return found.transpose(1, 2).values().reshape(query.shape)


def attend_padded(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, layer: Layer, packing: Packing
) -> torch.Tensor:
    """One question a sentence, [S, H], of its tokens' keys and values, [V*T, H] each: small enough to be padded."""
    width, rows = int(packing.sorted_N[-1]), len(query)
    start_S = packing.on(query.device).start_S
    place_L = torch.arange(width, device=query.device)
    real_SL = place_L < start_S.diff()[:, None]
    token_SL = (start_S[:-1, None] + place_L).clamp_(max=len(key) - 1)
    keys, values = (part[token_SL].view(rows, width, layer.heads, -1).transpose(1, 2) for part in (key, value))
    asks = query.view(rows, 1, layer.heads, -1).transpose(1, 2)
    mask = real_SL[:, None, None, :]
    found = F.scaled_dot_product_attention(asks, keys, values, attn_mask=mask, dropout_p=layer.attention_dropout)
    return found.reshape(rows, -1)
