"""What the layers of BERT-like encoders are called in each family. Parameters are the module's own, read at every call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dalr_bench_plugins.packed.packing import Places

# Classes whose layers are BERT's own; anything else, a subclass included, is left to its own forward.
_BERT = ("BertModel", "RobertaModel", "XLMRobertaModel", "CamembertModel")
_DISTILLED = ("DistilBertModel",)
_PLAIN = (nn.Linear, nn.Embedding, nn.LayerNorm)


@dataclass(frozen=True)
class Layer:
    """One post-LN layer: attention, mix, add and norm; widen, activation, narrow, add and norm.

    `again`: keep its input only, and compute the rest once more in the backward pass.
    """

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    mix: nn.Linear
    mix_norm: nn.LayerNorm
    widen: nn.Linear
    activation: Any
    narrow: nn.Linear
    narrow_norm: nn.LayerNorm
    heads: int
    attention_dropout: float
    mix_dropout: float
    narrow_dropout: float
    again: bool


def knows(encoder: Any) -> bool:
    """Whether this encoder's forward is the one written here: a known class, untouched layers, no hooks."""
    kind = type(encoder)
    if kind.__name__ not in (*_BERT, *_DISTILLED) or not kind.__module__.startswith("transformers.models."):
        return False
    if getattr(encoder.config, "is_decoder", False):
        return False
    foreign = [m for m in encoder.modules() if not type(m).__module__.startswith(("torch.nn.", "transformers."))]
    weighted = [m for m in encoder.modules() if next(m.parameters(recurse=False), None) is not None]
    return not foreign and not hooked(encoder) and all(type(module) in _PLAIN for module in weighted)


def hooked(encoder: nn.Module) -> bool:
    """Whether somebody looks on or changes something inside: such an encoder is called once, with the whole batch."""
    return any(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
        for module in encoder.modules()
    )


def layers(encoder: Any) -> Sequence[Layer]:
    """The layers of an encoder that `knows` accepts. Dropout is 0 in eval mode."""
    if type(encoder).__name__ in _DISTILLED:
        return [_distilled(layer) for layer in encoder.transformer.layer]
    return [_bert(layer) for layer in encoder.encoder.layer]


def share(dropout: nn.Module) -> float:
    """What a dropout module drops now."""
    return float(getattr(dropout, "p", 0.0)) if dropout.training else 0.0


def _again(layer: Any) -> bool:
    return bool(getattr(layer, "gradient_checkpointing", False)) and layer.training and torch.is_grad_enabled()


def _bert(layer: Any) -> Layer:
    attention, mixed, out = layer.attention.self, layer.attention.output, layer.output
    return Layer(
        query=attention.query,
        key=attention.key,
        value=attention.value,
        mix=mixed.dense,
        mix_norm=mixed.LayerNorm,
        widen=layer.intermediate.dense,
        activation=layer.intermediate.intermediate_act_fn,
        narrow=out.dense,
        narrow_norm=out.LayerNorm,
        heads=attention.num_attention_heads,
        attention_dropout=share(attention.dropout),
        mix_dropout=share(mixed.dropout),
        narrow_dropout=share(out.dropout),
        again=_again(layer),
    )


def _distilled(layer: Any) -> Layer:
    attention, wide = layer.attention, layer.ffn
    return Layer(
        query=attention.q_lin,
        key=attention.k_lin,
        value=attention.v_lin,
        mix=attention.out_lin,
        mix_norm=layer.sa_layer_norm,
        widen=wide.lin1,
        activation=wide.activation,
        narrow=wide.lin2,
        narrow_norm=layer.output_layer_norm,
        heads=attention.n_heads,
        attention_dropout=share(attention.dropout),
        mix_dropout=0.0,
        narrow_dropout=share(wide.dropout),
        again=_again(layer),
    )


def positions(embeddings: Any, ids_T: torch.Tensor, places: Places) -> torch.Tensor:
    """Rows of the position embeddings, [T]. RoBERTa numbers them from its padding id on, and padding ids not at all."""
    padding = getattr(embeddings, "padding_idx", None)
    if padding is None:
        return places.position_T
    real_T = ids_T.ne(padding).long()
    count_T = real_T.cumsum(0)
    found: torch.Tensor = (count_T - (count_T - real_T)[places.opening_T]) * real_T + padding
    return found


def embedded(embeddings: Any, ids_T: torch.Tensor, position_T: torch.Tensor) -> torch.Tensor:
    """LayerNorm(word + type 0 + position), [T, H]."""
    states_TH = embeddings.word_embeddings(ids_T)
    types = getattr(embeddings, "token_type_embeddings", None)
    if types is not None:
        states_TH = states_TH + types.weight[0]
    states_TH = states_TH + embeddings.position_embeddings(position_T)
    normed: torch.Tensor = embeddings.LayerNorm(states_TH)
    return normed
