"""From token states to one row a sentence: SimCSE's poolers (princeton-nlp/SimCSE@49fa580:evaluation.py:119-138)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch

Pooling = Literal["cls", "cls_before_pooler", "mean", "first_last", "embeddings_last", "top2"]

# Which hidden states are averaged before the masked mean; 0 is the embedding layer's output, -1 the last layer's.
MEAN_OF_LAYERS: dict[str, tuple[int, ...]] = {
    "mean": (-1,),
    "first_last": (1, -1),
    "embeddings_last": (0, -1),
    "top2": (-2, -1),
}


def needs_all_layers(pooling: Pooling) -> bool:
    """Whether a pooler reads more than the last layer."""
    return len(MEAN_OF_LAYERS.get(pooling, ())) > 1


def pool(output: Any, mask_NL: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """One row a sentence, [N, D], from a transformers encoder's output.

    `cls`: the model's own pooler (BERT: tanh(W h_0 + b)). `cls_before_pooler`: h_0 of the last layer.
    `mean`: Σ_l mask_l h_l / Σ_l mask_l. `first_last`, `embeddings_last`, `top2`: the same mean of (h¹+h⁻¹)/2,
    (h⁰+h⁻¹)/2, (h⁻²+h⁻¹)/2, where h⁰ is what the embedding layer gives. SimCSE's paper averages h⁰ and its later code
    h¹ (SimCSE issue 285); both have a name here.
    """
    if pooling == "cls":
        rows: torch.Tensor = output.pooler_output
        return rows
    if pooling == "cls_before_pooler":
        first: torch.Tensor = output.last_hidden_state[:, 0]
        return first
    return masked_mean(_states(output, MEAN_OF_LAYERS[pooling]), mask_NL)


def masked_mean(states_NLD: torch.Tensor, mask_NL: torch.Tensor) -> torch.Tensor:
    """Mean over real tokens, [N, D]; the divisor is kept above 0 for a sentence without tokens."""
    weights = mask_NL.unsqueeze(-1).to(states_NLD.dtype)
    return (states_NLD * weights).sum(1) / weights.sum(1).clamp_min(1e-9)


def _states(output: Any, layers: Sequence[int]) -> torch.Tensor:
    if tuple(layers) == (-1,):
        last: torch.Tensor = output.last_hidden_state
        return last
    chosen = [output.hidden_states[layer] for layer in layers]
    total: torch.Tensor = sum(chosen[1:], chosen[0]) / len(chosen)
    return total
