"""Hugging Face models in DiffCSE's two roles: the frozen generator, and a pretrained discriminator."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dalr_bench import DataError, SuiteError


def _load(kind: str, name: str) -> Any:
    """`AutoModel…` of an id or folder. Raises DataError in one line where it is not to be had."""
    import transformers

    try:
        return getattr(transformers, kind).from_pretrained(name)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot load '{name}': {str(error).partition(chr(10))[0]}") from error


class FrozenGenerator:
    """A masked language model that is only asked: ids with masks [N, L] → logits [N, L, vocabulary].

    Not an `nn.Module`, so that it is neither trained nor saved with the run. `dropout` leaves its dropout on, as the
    released code does by putting everything in train mode. Raises SuiteError where it knows fewer words than the
    student.
    """

    def __init__(self, name: str, vocabulary: int, dropout: bool) -> None:
        self._model = _load("AutoModelForMaskedLM", name).requires_grad_(False).train(dropout)
        self._vocabulary = vocabulary
        known = int(self._model.get_input_embeddings().num_embeddings)
        if known < vocabulary:
            raise SuiteError(f"generator '{name}' knows {known} tokens, the student {vocabulary}: two tokenizers")

    def __call__(self, ids_NL: Tensor, mask_NL: Tensor) -> Tensor:
        model = self._model.to(ids_NL.device)
        with torch.no_grad():
            logits_NLV: Tensor = model(input_ids=ids_NL, attention_mask=mask_NL).logits
        return logits_NLV[..., : self._vocabulary]


class PretrainedBody(nn.Module):
    """An encoder whose position 0 is replaced after its embeddings.

    voidism/DiffCSE@f724b2c:modeling_bert.py:960-961.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.model = _load("AutoModel", name)
        embeddings = getattr(self.model, "embeddings", None)
        if embeddings is None:
            raise SuiteError(f"discriminator '{name}' has no embeddings module: use a BERT-like encoder")
        if getattr(self.model, "pooler", None) is not None:
            self.model.pooler = None  # never asked, so never trained
        self.width = int(self.model.config.hidden_size)
        self._first_NW: Tensor | None = None
        embeddings.register_forward_hook(self._condition)

    def _condition(self, _module: nn.Module, _inputs: Any, embedded_NLW: Tensor) -> Tensor | None:
        if self._first_NW is None:
            return None
        return torch.cat([self._first_NW[:, None].to(embedded_NLW.dtype), embedded_NLW[:, 1:]], dim=1)

    def forward(self, ids_NL: Tensor, mask_NL: Tensor, first_NW: Tensor | None = None) -> Tensor:
        self._first_NW = first_NW
        try:
            states_NLW: Tensor = self.model(input_ids=ids_NL, attention_mask=mask_NL).last_hidden_state
        finally:
            self._first_NW = None
        return states_NLW
