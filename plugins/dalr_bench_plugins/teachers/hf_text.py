"""A frozen text encoder from Hugging Face.

Source: the sentence teachers of RankCSE and DALR (Hekang001/DALR@c53e1fc:src/teachers.py:8), each with its own
tokenizer and pooling, where DALR gives them the student's ids (src/model_modified.py:659-678).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field

from dalr_bench import hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.networks.pooling import Pooling
from dalr_bench_plugins.networks.requirements import model_requirement

if TYPE_CHECKING:
    from dalr_bench_plugins.networks.frozen import FrozenText


class HFText:
    """Rows of a frozen Hugging Face text encoder with its own tokenizer, [N, T] float32.

    `pooling` is an option and never guessed from a name (DALR's released code takes the mean for any path without
    "simcse": Hekang001/DALR@c53e1fc:src/train_mix.py:386-388). `cls` needs a checkpoint with pooler weights; SimCSE's
    published teachers keep their MLP there. `model` is a hub id or a folder; `batch` sentences are asked at a time;
    `normalize` scales rows to unit length. `max_length` counts ids, special ones included. The weights are opened when
    first asked; `fingerprint` hashes the weight and tokenizer files and what decides the rows.

    `revision` is a commit, tag or branch of a hub id (left out: its newest); `trust_remote_code` runs code that stands
    beside the weights, which nothing here needs.

    Raises DataError where weights are missing, cut, or pickled without `allow_pickle: true` (then read weights_only).
    """

    requires = staticmethod(model_requirement)

    def __init__(
        self,
        model: str,
        pooling: Pooling = "cls_before_pooler",
        max_length: Annotated[int, Field(ge=3)] = 32,
        batch: Annotated[int, Field(ge=1)] = 64,
        normalize: bool = False,
        revision: str | None = None,
        trust_remote_code: bool = False,
        allow_pickle: bool = False,
        *,
        device: Any = "cpu",
    ) -> None:
        from dalr_bench_plugins.networks.pretrained import Checkpoint, rows_fingerprint

        self.checkpoint = Checkpoint(model, revision, trust_remote_code, allow_pickle)
        self.pooling: Pooling = pooling
        self.max_length, self.batch, self.normalize, self.device = max_length, batch, normalize, device
        self.weights = rows_fingerprint(self.checkpoint)
        parts = (self.weights, pooling, max_length, normalize)
        self.fingerprint = hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()
        self._opened: FrozenText | None = None

    def encode_text(self, sentences: list[str]) -> torch.Tensor:
        """Pooled rows in order, [N, T]."""
        rows: torch.Tensor = self._model().rows(sentences, self.pooling, self.batch)
        return torch.nn.functional.normalize(rows, dim=-1) if self.normalize else rows

    def encode_states(self, sentences: list[str]) -> list[torch.Tensor]:
        """Token states of the last layer, one [L, T] a sentence, special tokens included."""
        states: list[torch.Tensor] = self._model().states(sentences, self.batch)
        return states

    def _model(self) -> FrozenText:
        from dalr_bench_plugins.networks.sharing import shared

        if self._opened is None:
            needs_pooler = self.pooling == "cls"
            key = ("hf_text", self.checkpoint, self.max_length, needs_pooler, str(self.device))
            self._opened = shared(key, lambda: self._open(needs_pooler))
        return self._opened

    def _open(self, needs_pooler: bool) -> FrozenText:
        from dalr_bench_plugins.networks.frozen import FrozenText
        from dalr_bench_plugins.networks.pretrained import open_encoder
        from dalr_bench_plugins.networks.vocabulary import TextTokenizer

        encoder, tokenizer = open_encoder(self.checkpoint, needs_pooler)
        return FrozenText(encoder, TextTokenizer(tokenizer, self.max_length), self.device)


@hookimpl
def register_teachers(register: Register) -> None:
    register("hf_text", HFText)
