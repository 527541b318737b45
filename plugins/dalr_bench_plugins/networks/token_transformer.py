"""Small transformers over token ids, from scratch: DiffCSE's discriminator and a masked-word generator."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dalr_bench import SuiteError

_WORD_SPREAD = 0.02  # BERT's initial standard deviation of embeddings


@dataclass(frozen=True)
class Shape:
    """Sizes of a transformer: `inner` times `width` is the feed-forward width, `positions` the longest input."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    inner: int = 4
    positions: int = 512
    dropout: float = 0.1


class TokenTransformer(nn.Module):
    """Word + position → LayerNorm → dropout → encoder layers: ids [N, L] → states [N, L, W].

    `first_NW` takes the place of what position 0 would be after the embeddings: the condition of DiffCSE.
    Raises SuiteError where the heads do not divide the width.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        if shape.width % shape.heads:
            raise SuiteError(f"a transformer of width {shape.width} cannot have {shape.heads} heads")
        self.words = nn.Embedding(shape.vocabulary, shape.width)
        self.places = nn.Embedding(shape.positions, shape.width)
        for table in (self.words, self.places):
            nn.init.normal_(table.weight, std=_WORD_SPREAD)
        self.norm = nn.LayerNorm(shape.width)
        self.dropout = nn.Dropout(shape.dropout)
        layer = nn.TransformerEncoderLayer(
            shape.width, shape.heads, shape.inner * shape.width, shape.dropout, "gelu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, shape.layers, enable_nested_tensor=False)

    def forward(self, ids_NL: Tensor, mask_NL: Tensor, first_NW: Tensor | None = None) -> Tensor:
        places_L = torch.arange(ids_NL.shape[1], device=ids_NL.device)
        embedded_NLW = self.dropout(self.norm(self.words(ids_NL) + self.places(places_L)))
        if first_NW is not None:
            embedded_NLW = torch.cat([first_NW[:, None].to(embedded_NLW.dtype), embedded_NLW[:, 1:]], dim=1)
        states_NLW: Tensor = self.encoder(embedded_NLW, src_key_padding_mask=mask_NL == 0)
        return states_NLW


class MaskedWordModel(nn.Module):
    """Which word stood here: ids with masks [N, L] → logits [N, L, vocabulary]; one table of words in and out."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.body = TokenTransformer(shape)
        self.transform = nn.Sequential(nn.Linear(shape.width, shape.width), nn.GELU(), nn.LayerNorm(shape.width))
        self.bias = nn.Parameter(torch.zeros(shape.vocabulary))

    def forward(self, ids_NL: Tensor, mask_NL: Tensor) -> Tensor:
        states_NLW = self.transform(self.body(ids_NL, mask_NL))
        return nn.functional.linear(states_NLW, self.body.words.weight, self.bias)


class Discriminator(nn.Module):
    """Was this token replaced, given the sentence vector: ids [N, L] and vectors [N, D] → logits [N, L]."""

    def __init__(self, body: nn.Module, condition: int, width: int) -> None:
        super().__init__()
        self.body = body
        self.entry = nn.Identity() if condition == width else nn.Linear(condition, width)
        self.verdict = nn.Linear(width, 1)

    def forward(self, ids_NL: Tensor, mask_NL: Tensor, condition_ND: Tensor) -> Tensor:
        states_NLW = self.body(ids_NL, mask_NL, self.entry(condition_ND))
        logits_NL: Tensor = self.verdict(states_NLW)[..., 0]
        return logits_NL


class Words(nn.Module):
    """What a tokenizer calls special, as a table on the device: ids [N, L] → True on ordinary words."""

    special_V: Tensor

    def __init__(self, vocabulary: int, special: frozenset[int]) -> None:
        super().__init__()
        table = torch.zeros(vocabulary, dtype=torch.bool)
        table[sorted(special)] = True
        self.register_buffer("special_V", table, persistent=False)

    def forward(self, ids_NL: Tensor) -> Tensor:
        return ~self.special_V[ids_NL]
