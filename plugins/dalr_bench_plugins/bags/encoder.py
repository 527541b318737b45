"""The module behind the bags. Imported only when one is built: it needs torch at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from dalr_bench import Encoding, TokenBatch, TrainingError
from dalr_bench.record.files import write_bytes
from dalr_bench_plugins.bags.words import WordTokenizer


class BagEncoder(nn.Module):
    """embed(s)[c] = Σ_{words w of s, column(w) = c} weight(w), [N, D]. Has no parameter: there is nothing to train.

    `columns` gives each word's column; words left out of it, and unknown ones, count nothing. `facts` join the
    protocol.
    """

    columns_V: Tensor
    weights_V: Tensor

    def __init__(
        self, words: Sequence[str], columns: Mapping[str, int], weights: Mapping[str, float], facts: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self.tokenizer = WordTokenizer(words)
        self.dim = max(columns.values()) + 1
        self._facts = dict(facts)
        known = self.tokenizer.words
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
        """`bag.json` (words and facts) and `bag.safetensors` (columns and weights), each whole or not at all."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        facts = {"words": list(self.tokenizer.words[2:]), **self.protocol()}
        write_bytes(target / "bag.safetensors", save({name: value.cpu() for name, value in self.state_dict().items()}))
        write_bytes(target / "bag.json", (json.dumps(facts, ensure_ascii=False, indent=1) + "\n").encode())
