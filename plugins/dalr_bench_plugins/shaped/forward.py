"""The forward of BERT-like encoders on a padded rectangle, written so that a compiler sees one graph without a question.

The mathematics is that of `packed.forward`: post-LN layers (Devlin et al. 2019), the last one for first tokens alone where
only those are wanted. Dropout is torch's own, so a compiler may draw it inside its kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from dalr_bench_plugins.networks.pooling import MEAN_OF_LAYERS, Pooling, masked_mean
from dalr_bench_plugins.packed.layers import Layer, share


@dataclass(frozen=True)
class Stack:
    """What is compiled: the parts of an encoder, and what is read of it."""

    norm: nn.LayerNorm
    dropout: float
    layers: Sequence[Layer]
    pooler: Any
    pooling: Pooling


def embedded(embeddings: Any, ids_RL: torch.Tensor) -> torch.Tensor:
    """word + type 0 + position, [R, L, H], before the norm.

    Looked up outside of what is compiled: the sum over equal tokens in its backward pass keeps torch's fixed order.
    RoBERTa numbers positions from its padding id on, and padding ids not at all.
    """
    padding = getattr(embeddings, "padding_idx", None)
    if padding is None:
        states = embeddings.word_embeddings(ids_RL) + embeddings.position_embeddings.weight[: ids_RL.shape[1]]
    else:
        real_RL = ids_RL.ne(padding).long()
        position_RL = real_RL.cumsum(1) * real_RL + padding
        states = embeddings.word_embeddings(ids_RL) + embeddings.position_embeddings(position_RL)
    types = getattr(embeddings, "token_type_embeddings", None)
    found: torch.Tensor = states if types is None else states + types.weight[0]
    return found


def through(
    stack: Stack, embedded_RLH: torch.Tensor, real_RL: torch.Tensor, views: int, states: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Rows [V*R, H], view-major, and the last layer's states [V*R, L, H] where asked for."""
    mask_VR11L = real_RL.bool().repeat(views, 1)[:, None, None, :]
    found = F.dropout(stack.norm(embedded_RLH).repeat(views, 1, 1), stack.dropout)
    if stack.pooling in MEAN_OF_LAYERS:
        return _mean(stack, found, mask_VR11L, states)
    for layer in stack.layers[:-1]:
        found = _once_or_again(layer, found, found, mask_VR11L)
    last = stack.layers[-1]
    found = _once_or_again(last, found, found if states else found[:, :1], mask_VR11L)
    first = found[:, 0]
    rows = torch.tanh(stack.pooler.dense(first)) if stack.pooling == "cls" else first
    return rows, found if states else None


def _mean(
    stack: Stack, first: torch.Tensor, mask_VR11L: torch.Tensor, states: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The mean over tokens of the mean of the layers that the pooler names."""
    all_states = [first]
    for layer in stack.layers:
        all_states.append(_once_or_again(layer, all_states[-1], all_states[-1], mask_VR11L))
    wanted = MEAN_OF_LAYERS[stack.pooling]
    total = all_states[wanted[0]]
    for number in wanted[1:]:
        total = total + all_states[number]
    rows = masked_mean(total, mask_VR11L[:, 0, 0]) / len(wanted)
    return rows, all_states[-1] if states else None


def _once_or_again(
    layer: Layer, states: torch.Tensor, asking: torch.Tensor, mask_VR11L: torch.Tensor
) -> torch.Tensor:
    if not layer.again:
        return _layer(layer, states, asking, mask_VR11L)
    found: torch.Tensor = checkpoint(_layer, layer, states, asking, mask_VR11L, use_reentrant=False)
    return found


def _layer(layer: Layer, states: torch.Tensor, asking: torch.Tensor, mask_VR11L: torch.Tensor) -> torch.Tensor:
    """One layer for the tokens `asking`, which look at all `states`."""
    parts = (layer.query(asking), layer.key(states), layer.value(states))
    query, key, value = (part.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for part in parts)
    context = F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask_VR11L, dropout_p=layer.attention_dropout
    )
    mixed = layer.mix(context.transpose(1, 2).flatten(2))
    stream = layer.mix_norm(F.dropout(mixed, layer.mix_dropout) + asking)
    narrow = layer.narrow(layer.activation(layer.widen(stream)))
    out: torch.Tensor = layer.narrow_norm(F.dropout(narrow, layer.narrow_dropout) + stream)
    return out


def stack_of(encoder: Any, layers: Sequence[Layer], pooling: Pooling) -> Stack:
    """Of an encoder in training mode: the module's own parts, whose weights are read at every call."""
    pooler = getattr(encoder, "pooler", None)
    return Stack(encoder.embeddings.LayerNorm, share(encoder.embeddings.dropout), tuple(layers), pooler, pooling)
