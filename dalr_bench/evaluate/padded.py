"""The other side of a benchmark: sentences encoded each time they are asked for, in padded batches, as plain
evaluations do.

Like the SentEval copy that papers use (princeton-nlp/SimCSE@49fa580, evaluation.py:`batcher`): 128 sentences at a time
in the order they come, each batch padded to its longest, the encoder's own forward. An evaluator that takes part in
this benchmark may offer `plain()`: itself with its examples in the order the plain evaluation batches them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dalr_bench.evaluate.untouched import eval_mode
from dalr_bench.protocols import Backbone, OpenSpace
from dalr_bench.types import TokenBatch


class Padded:
    """A Subject without memory: every call tokenises and encodes anew, `batch` sentences at a time, in their order."""

    def __init__(self, backbone: Backbone, device: str = "cpu", batch: int = 128) -> None:
        self._backbone, self._device, self._batch = backbone, device, batch
        self.spaces: Mapping[str, OpenSpace] = {}
        self.protocol: Mapping[str, Any] = {**backbone.protocol(), "precision": "fp32", "batch": batch}
        self.fingerprint = ""
        self.seconds: dict[str, float] = {"encode": 0.0}

    def declare(self, sentences: Iterable[str]) -> None:
        """Nothing is collected."""

    def prepare(self) -> None:
        """Nothing is encoded beforehand."""

    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Rows of `sentences` in order, float32 [n, D]."""
        start = time.perf_counter()
        out_ND = np.empty((len(sentences), self._backbone.dim), np.float32)
        with torch.inference_mode(), eval_mode(self._backbone):
            for first in range(0, len(sentences), self._batch):
                last = first + self._batch
                out_ND[first:last] = self._embed(list(sentences[first:last]))
        self.seconds["encode"] += time.perf_counter() - start
        return out_ND

    def _embed(self, sentences: list[str]) -> NDArray[np.float32]:
        tokenizer = self._backbone.tokenizer
        ids = tokenizer(sentences)
        width = max(1, *map(len, ids))
        table = torch.full((len(ids), width), tokenizer.pad_id, dtype=torch.long)
        mask = torch.zeros_like(table)
        for row, found in enumerate(ids):
            table[row, : len(found)] = torch.tensor(found, dtype=torch.long)
            mask[row, : len(found)] = 1
        rows: NDArray[np.float32] = (
            self._backbone.embed(TokenBatch(table.to(self._device), mask.to(self._device))).float().cpu().numpy()
        )
        return rows
