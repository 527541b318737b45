"""Inference of BERT-like encoders on packed tokens: sentences of several lengths in one matrix, and no padding at all.

Linear layers see all T tokens of a batch at once, attention each group of equally long sentences by itself. The
parameters are the Hugging Face module's own, read at every call, so nothing here can go stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from dalr_bench_plugins.networks.pooling import MEAN_OF_LAYERS, Pooling

# Classes whose layers are BERT's own; anything else, a subclass included, is left to its own forward.
_FAMILIES = ("BertModel", "RobertaModel", "XLMRobertaModel", "CamembertModel")
_PLAIN = (nn.Linear, nn.Embedding, nn.LayerNorm)


@dataclass(frozen=True)
class Group:
    """`count` sentences of `length` tokens each, one after another from token `start`."""

    start: int
    count: int
    length: int

    @property
    def tokens(self) -> slice:
        return slice(self.start, self.start + self.count * self.length)


def can_unpad(encoder: Any) -> bool:
    """Whether `pooled` computes what this encoder's forward would: a known class, untouched layers, no hooks."""
    kind = type(encoder)
    if kind.__name__ not in _FAMILIES or not kind.__module__.startswith("transformers.models."):
        return False
    if encoder.config.is_decoder:
        return False
    weighted = [module for module in encoder.modules() if next(module.parameters(recurse=False), None) is not None]
    hooked = any(module._forward_hooks or module._forward_pre_hooks for module in encoder.modules())
    return not hooked and all(type(module) in _PLAIN for module in weighted)


def pooled(encoder: Any, ids_T: torch.Tensor, lengths_N: Sequence[int], pooling: Pooling) -> torch.Tensor:
    """Rows [N, H] of sentences packed one after another in `ids_T`, whose lengths (each at least 1) never fall.

    As `pooling.pool` of the encoder's own forward in eval mode; differences are those of the order of additions.
    Dropout is never applied. Source of the layers: Devlin et al. 2019 (post-LN), as in transformers.
    """
    groups = list(_groups(lengths_N))
    layers = encoder.encoder.layer
    if pooling in ("cls", "cls_before_pooler"):
        states_TH = _embedded(encoder.embeddings, ids_T, groups)
        for layer in layers[:-1]:
            states_TH = _layer(layer, states_TH, groups)
        first_NH = _last_of_first(layers[-1], states_TH, groups)
        return torch.tanh(encoder.pooler.dense(first_NH)) if pooling == "cls" else first_NH
    wanted = [place % (len(layers) + 1) for place in MEAN_OF_LAYERS[pooling]]
    states_TH = _embedded(encoder.embeddings, ids_T, groups)
    total = states_TH if 0 in wanted else None
    for number, layer in enumerate(layers, 1):
        states_TH = _layer(layer, states_TH, groups)
        for _ in range(wanted.count(number)):
            total = states_TH if total is None else total + states_TH
    return _means(total, groups) / len(wanted)


def _groups(lengths_N: Sequence[int]) -> Iterator[Group]:
    changes = [place for place, (one, next_one) in enumerate(pairwise(lengths_N), 1) if one != next_one]
    start = 0
    for first, end in pairwise([0, *changes, len(lengths_N)]):
        yield Group(start, end - first, int(lengths_N[first]))
        start += (end - first) * int(lengths_N[first])


def _embedded(embeddings: Any, ids_T: torch.Tensor, groups: Sequence[Group]) -> torch.Tensor:
    """LayerNorm(word + type 0 + position). RoBERTa numbers positions from its padding id on, and padding ids not at
    all.
    """
    padding = getattr(embeddings, "padding_idx", None)
    places = [_places(ids_T[group.tokens].view(group.count, -1), padding).reshape(-1) for group in groups]
    states_TH = embeddings.word_embeddings(ids_T) + embeddings.token_type_embeddings.weight[0]
    states_TH += embeddings.position_embeddings(torch.cat(places))
    normed: torch.Tensor = embeddings.LayerNorm(states_TH)
    return normed


def _places(ids_NL: torch.Tensor, padding: int | None) -> torch.Tensor:
    if padding is None:
        return torch.arange(ids_NL.shape[1], device=ids_NL.device).expand(ids_NL.shape)
    real = ids_NL.ne(padding).long()
    return real.cumsum(1) * real + padding


def _layer(layer: Any, states_TH: torch.Tensor, groups: Sequence[Group]) -> torch.Tensor:
    """One post-LN layer over packed tokens, [T, H]."""
    attention = layer.attention.self
    query, key, value = (part(states_TH) for part in (attention.query, attention.key, attention.value))
    contexts = []
    for group in groups:
        asks, keys, values = (_heads(part[group.tokens], group, attention) for part in (query, key, value))
        found = nn.functional.scaled_dot_product_attention(asks, keys, values)
        contexts.append(found.transpose(1, 2).reshape(group.count * group.length, -1))
    return _after_attention(layer, _joined(contexts), states_TH)


def _last_of_first(layer: Any, states_TH: torch.Tensor, groups: Sequence[Group]) -> torch.Tensor:
    """The layer's output at each sentence's first token alone, [N, H]: every token is a key, only the first asks."""
    attention = layer.attention.self
    first_NH = torch.cat([states_TH[group.tokens][:: group.length] for group in groups])
    query, key, value = attention.query(first_NH), attention.key(states_TH), attention.value(states_TH)
    contexts, row = [], 0
    for group in groups:
        asks = query[row : row + group.count].view(group.count, 1, -1, attention.attention_head_size).transpose(1, 2)
        keys, values = (_heads(part[group.tokens], group, attention) for part in (key, value))
        found = nn.functional.scaled_dot_product_attention(asks, keys, values)
        contexts.append(found.reshape(group.count, -1))
        row += group.count
    return _after_attention(layer, _joined(contexts), first_NH)


def _joined(parts: list[torch.Tensor]) -> torch.Tensor:
    # Most batches hold one length, and torch would copy it.
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _heads(part: torch.Tensor, group: Group, attention: Any) -> torch.Tensor:
    """A view of [n*L, H] as [n, heads, L, H/heads]."""
    return part.view(group.count, group.length, -1, attention.attention_head_size).transpose(1, 2)


def _after_attention(layer: Any, context: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    mixed = layer.attention.output
    middle = mixed.LayerNorm(_plus(mixed.dense(context), states))
    wide = layer.intermediate.intermediate_act_fn(layer.intermediate.dense(middle))
    out: torch.Tensor = layer.output.LayerNorm(_plus(layer.output.dense(wide), middle))
    return out


def _plus(fresh: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """`fresh` + `kept`, in `fresh` where that keeps the precision (autocast mixes them)."""
    return fresh.add_(kept) if fresh.dtype == kept.dtype else fresh + kept


def _means(states_TH: Any, groups: Sequence[Group]) -> torch.Tensor:
    """Mean over each sentence's tokens, [N, H]."""
    return torch.cat([states_TH[group.tokens].view(group.count, group.length, -1).mean(1) for group in groups])
