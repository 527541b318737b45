"""Sentences in batches without padding, from short to long within a token budget, and the rows of one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from dalr_bench.evaluate.token_cache import TokenIds
from dalr_bench.evaluate.untouched import eval_mode, forked_rng
from dalr_bench.protocols import Backbone, PackingBackbone
from dalr_bench.types import TokenBatch

Precision = Literal["fp32", "bf16"]
Places = NDArray[np.int64]
Rows = NDArray[np.float32]

# Tokens of one batch. On a CPU small batches stay in the cache (measured: 1024-2048 best), and a backbone that packs cuts
# larger ones itself; a GPU wants to be filled.
_BUDGET, _PACKED = {"cpu": 1024}, {"cpu": 32768}
_FILLED = 65536


@dataclass(frozen=True)
class BatchEncoder:
    """A backbone that is asked batch by batch; a batch's rows depend on that batch alone, whoever encodes it."""

    backbone: Backbone
    device: torch.device
    precision: Precision = "fp32"
    budget: int | None = None

    def batches(self, lengths: Places) -> Iterator[Places]:
        """Places from short to long: sentences without tokens by themselves, and those of each length where nothing packs."""
        budget = self.budget or (_BUDGET if self._pack is None else _PACKED).get(self.device.type, _FILLED)
        order = np.argsort(lengths, kind="stable")
        kinds = np.minimum(lengths[order], 1) if self._pack is not None else lengths[order]
        for group in np.split(order, np.flatnonzero(np.diff(kinds)) + 1):
            ends = np.cumsum(np.maximum(lengths[group], 1))
            first = 0
            while first < len(group):
                taken = int(ends[first - 1]) if first else 0
                last = max(first + 1, int(np.searchsorted(ends, taken + budget, "right")))
                yield group[first:last]
                first = last

    @contextmanager
    def looking(self) -> Iterator[None]:
        """What is encoded inside leaves the module's flags and every random generator as they were."""
        with ExitStack() as stack:
            for guard in (forked_rng(), eval_mode(self.backbone), torch.inference_mode(), self._autocast()):
                stack.enter_context(guard)
            yield

    def encode(self, ids: TokenIds, batch: Places) -> Rows:
        """Rows [n, D] of one batch; inside `looking`."""
        pack = self._pack
        if pack is None or not ids.lengths[batch[0]]:
            return self._rectangle(ids, batch)
        packed = torch.from_numpy(ids.packed(batch)).to(self.device)
        found: Rows = pack.embed_packed(packed, ids.lengths[batch].tolist()).float().cpu().numpy()
        return found

    @property
    def _pack(self) -> PackingBackbone | None:
        return self.backbone if isinstance(self.backbone, PackingBackbone) and self.backbone.packs else None

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _rectangle(self, ids: TokenIds, batch: Places) -> Rows:
        """Sentences of one length."""
        ids_NL = ids.rectangle(batch, int(ids.lengths[batch[0]]))
        empty = ids_NL.shape[1] == 0  # a tokenizer without special tokens, and a sentence without a known word
        if empty:
            ids_NL = np.full((len(ids_NL), 1), self.backbone.tokenizer.pad_id, np.int64)
        ids_on = torch.from_numpy(ids_NL).to(self.device)
        mask = torch.zeros_like(ids_on) if empty else torch.ones_like(ids_on)
        found: Rows = self.backbone.embed(TokenBatch(ids_on, mask)).float().cpu().numpy()
        return found


# How batches come to their rows, each with its batch: here one after another, or shared out among processes.
Encoded = Callable[[BatchEncoder, TokenIds, Sequence[Places]], Iterator[tuple[Places, Rows]]]


def one_by_one(encoder: BatchEncoder, ids: TokenIds, batches: Sequence[Places]) -> Iterator[tuple[Places, Rows]]:
    """Every batch in this process; inside `looking`."""
    for batch in batches:
        yield batch, encoder.encode(ids, batch)
