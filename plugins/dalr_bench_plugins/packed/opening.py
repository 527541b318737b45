"""What the first layer makes of tokens before they meet: a matter of a token's id and place alone, so it is made once.

Sentences share many of these: all have the same first token, and common words stand at the same places. Of the STS
sets' tokens 36 % differ within batches of 32,768, and the first layer's queries, keys and values are made for those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dalr_bench_plugins.packed.fused import Fused
from dalr_bench_plugins.packed.layers import Layer, embedded, positions
from dalr_bench_plugins.packed.packing import Packing, packed


@dataclass(frozen=True)
class Opened:
    """Of n tokens: their embeddings [n, H], and the first layer's queries, keys and values [n, 3H] of them."""

    states: torch.Tensor
    qkv: torch.Tensor
    pieces: Fused

    def attend(self, first: Layer, packing: Packing) -> torch.Tensor:
        """The first layer's attention, [n, H]."""
        return self.pieces.among(self.qkv, first, packing)


@dataclass(frozen=True)
class Opening:
    """The same of U pairs of id and place; `pair_T`: each token's pair."""

    pairs: Opened
    pair_T: torch.Tensor

    def of(self, tokens: slice) -> Opened:
        """Of some of the tokens."""
        chosen = self.pair_T[tokens]
        return Opened(self.pairs.states.index_select(0, chosen), self.pairs.qkv.index_select(0, chosen), self.pairs.pieces)


def opening(embeddings: Any, first: Layer, pieces: Fused, ids_T: torch.Tensor, lengths_N: Sequence[int]) -> Opening:
    """Of a whole batch, for forwards without dropout."""
    position_T = positions(embeddings, ids_T, packed(lengths_N).on(ids_T.device))
    places = embeddings.position_embeddings.num_embeddings
    pair_U, pair_T = torch.unique(ids_T * places + position_T, return_inverse=True)
    states_UH = embedded(embeddings, pair_U // places, pair_U % places)
    return Opening(Opened(states_UH, pieces.asked(states_UH, first), pieces), pair_T)
