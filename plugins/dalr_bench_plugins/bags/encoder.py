"""The module behind the bags. Imported only when one is built: it needs torch at once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from dalr_bench import Encoding, TokenBatch, TrainingError
from dalr_bench.protocols import Tokenizer
from dalr_bench_plugins.bags.words import WordTokenizer


class BagEncoder(nn.Module):
    """embed(s)[c] = Σ_{words w of s, column(w) = c} weight(w), [N, D]. Has no parameter: there is nothing to train.

    `columns` gives each word's column; words left out of it, and unknown ones, count nothing. `facts` join the
    protocol.
    """

    dim: int
    tokenizer: Tokenizer
    columns_V: Tensor
    weights_V: Tensor

    def __init__(
        self, words: Sequence[str], columns: Mapping[str, int], weights: Mapping[str, float], facts: Mapping[str, Any]
    ) -> None:
        super().__init__()
        tokenizer = WordTokenizer(words)
        self.tokenizer = tokenizer
        self.words = list(words)
        self.dim = max(columns.values()) + 1
        self._facts = dict(facts)
        known = tokenizer.words
        self.register_buffer("columns_V", torch.tensor([columns.get(word, 0) for word in known]))
        self.register_buffer(
            "weights_V", torch.tensor([weights.get(word, 1.0) if word in columns else 0.0 for word in known])
        )

    def encode(self, tokens: TokenBatch, views: int, states: bool) -> Encoding:
        """Raises TrainingError: a bag cannot be trained."""
        raise TrainingError(
            f"{self._facts['model']} has nothing to train: give its variant `train: {{steps: 0}}` and no losses"
        )

    def embed(self, tokens: TokenBatch) -> Tensor:
        """Weighted counts, [N, D]."""
        ids_NL = tokens.ids_NL
        weights_NL = self.weights_V[ids_NL] * tokens.mask_NL
        out_ND = torch.zeros(len(ids_NL), self.dim, device=ids_NL.device, dtype=weights_NL.dtype)
        return out_ND.scatter_add_(1, self.columns_V[ids_NL], weights_NL)

    def protocol(self) -> Mapping[str, Any]:
        """What kind of bag it is, and its width."""
        return {**self._facts, "dim": self.dim}

    def save(self, folder: str) -> None:
        """`bag.safetensors`, whole or not at all: columns and weights, and as metadata the words and facts as JSON."""
        target = Path(folder) / "bag.safetensors"
        target.parent.mkdir(parents=True, exist_ok=True)
        facts = json.dumps({"words": self.words, **self.protocol()}, ensure_ascii=False)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                file.write(save({name: value.cpu() for name, value in self.state_dict().items()}, {"bag": facts}))
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
