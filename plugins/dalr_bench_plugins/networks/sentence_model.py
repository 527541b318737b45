"""A sentence-transformers model of any modules as a backbone: the library does the reading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from dalr_bench import Encoding, TokenBatch
from dalr_bench_plugins.networks.pretrained import Checkpoint, check_words, explained, quiet, weights_fingerprint
from dalr_bench_plugins.networks.vocabulary import TextTokenizer


def open_modules(checkpoint: Checkpoint, max_length: int | None) -> SentenceModules:
    """Open a model by id or folder. Raises DataError where files are missing, cut, or pickled without leave."""
    from sentence_transformers import SentenceTransformer

    weights = weights_fingerprint(checkpoint)
    with explained(checkpoint), quiet():
        inner = SentenceTransformer(
            checkpoint.model,
            device="cpu",
            revision=checkpoint.revision,
            trust_remote_code=checkpoint.trust_remote_code,
            model_kwargs={"dtype": torch.float32},
        )
    check_words(checkpoint, inner.tokenizer)
    return SentenceModules(
        inner, max_length or int(inner.max_seq_length or 512), {"model": checkpoint.model, "weights": weights}
    )


class SentenceModules(torch.nn.Module):
    """`types.Backbone` over the module chain of a sentence-transformers model; its last row is the sentence's."""

    def __init__(self, inner: Any, max_length: int, origin: Mapping[str, Any]) -> None:
        super().__init__()
        self.inner = inner
        self.tokenizer = TextTokenizer(inner.tokenizer, max_length)
        self.dim = int(inner.get_embedding_dimension())
        self.origin = dict(origin)

    def _output(self, tokens: TokenBatch) -> Any:
        return self.inner({"input_ids": tokens.ids_NL, "attention_mask": tokens.mask_NL})

    def embed(self, tokens: TokenBatch) -> torch.Tensor:
        """Rows [N, D]."""
        rows: torch.Tensor = self._output(tokens)["sentence_embedding"]
        return rows

    def encode(self, tokens: TokenBatch, views: int, states: bool) -> Encoding:
        """All views one after another, each with its own dropout: [N, V, D]; states [N, V, L, D]."""
        outputs = [self._output(tokens) for _ in range(views)]
        rows_NVD = torch.stack([output["sentence_embedding"] for output in outputs], 1)
        states_NVLD = torch.stack([output["token_embeddings"] for output in outputs], 1) if states else None
        return Encoding(rows_NVD, rows_NVD, states_NVLD)

    def protocol(self) -> Mapping[str, Any]:
        """What decides these vectors beside the weights."""
        kinds = "+".join(type(module).__name__ for module in self.inner)
        return {**self.origin, "pooling": kinds, "max_length": self.tokenizer.max_length}

    def save(self, folder: str) -> None:
        """The same model as a sentence-transformers folder."""
        self.inner.save_pretrained(folder, safe_serialization=True)
