"""One encoding per sentence: evaluators declare, the union is encoded once without padding, everybody looks up."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from dalr_bench.errors import SuiteError, TrainingError
from dalr_bench.evaluate.token_cache import TokenIds, tokenize
from dalr_bench.evaluate.untouched import eval_mode, forked_rng
from dalr_bench.protocols import Backbone, OpenSpace, PackingBackbone
from dalr_bench.types import Corpus, TokenBatch

Precision = Literal["fp32", "bf16"]

# Tokens of one batch. On a CPU small batches stay in the cache (measured: 1024-2048 best); a GPU wants to be filled.
_BUDGET = {"cpu": 1024, "cuda": 65536}


@dataclass(frozen=True, slots=True)
class Pace:
    """How far an encoding is. Rates count tokens, since sentences are encoded from short to long."""

    sentences: int
    total_sentences: int
    tokens: int
    total_tokens: int
    seconds: float

    @property
    def tokens_per_second(self) -> float:
        """Tokens encoded per second so far."""
        return self.tokens / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float:
        """Time left at the rate so far."""
        return (self.total_tokens - self.tokens) / max(self.tokens_per_second, 1e-9)


Progress = Callable[[Pace], None]


@dataclass(frozen=True)
class EncodeOptions:
    """How sentences are encoded. `precision` is declared in the protocol: bf16 moves scores, so it is never chosen
    silently.

    `budget`: tokens of one batch (None: by device). `cache`: the folder of token ids (None: nothing is kept).
    `spaces` and `pictures` are the joint spaces and the image teachers of the run the backbone belongs to.
    """

    precision: Precision = "fp32"
    budget: int | None = None
    cache: Path | None = None
    progress: Progress | None = None
    spaces: Mapping[str, OpenSpace] = field(default_factory=dict)
    pictures: Callable[[str, Corpus], NDArray[np.float32]] | None = None


class OnePass:
    """A backbone as evaluators see it (types.Subject): sentences in, float32 rows [n, D] out, each distinct sentence
    once.

    `declare` collects what will be asked; the first `encode` runs the union, sorted by length, within a token budget
    and without padding: packed where the backbone offers it, else in batches of equal length. Sentences nobody declared
    are encoded when asked for. The module's train/eval flags and every random generator are given back as they were.
    `seconds` says where time went. Raises TrainingError where the backbone gives rows that are not finite.
    """

    def __init__(self, backbone: Backbone, device: str = "cpu", options: EncodeOptions | None = None) -> None:
        self.backbone = backbone
        self._device = torch.device(device)
        self._options = options or EncodeOptions()
        self._index: dict[str, int] = {}
        self._declared: dict[str, None] = {}
        self._rows_ND = np.zeros((0, backbone.dim), np.float32)
        self.spaces: Mapping[str, OpenSpace] = self._options.spaces
        self.seconds = {"tokenize": 0.0, "encode": 0.0}
        self.tokens = 0
        self.protocol: Mapping[str, Any] = {
            **backbone.protocol(),
            "precision": self._options.precision,
            "device": self._device.type,
            "torch": torch.__version__,
        }

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of the weights as they are now and of the protocol (pooling, length, precision)."""
        digest = hashlib.sha256(json.dumps(dict(self.protocol), sort_keys=True, default=str).encode())
        state = self.backbone.state_dict() if isinstance(self.backbone, torch.nn.Module) else {}
        for name, value in sorted(state.items()):
            digest.update(f"{name}|{value.dtype}|{tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def declare(self, sentences: Iterable[str]) -> None:
        """Add sentences to what the next `encode` runs."""
        self._declared.update((text, None) for text in sentences if text not in self._index)

    def prepare(self) -> None:
        """Encode now all that was declared and not encoded yet."""
        wanted = list(self._declared)
        self._declared.clear()
        if wanted:
            self._add(wanted)

    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Rows of `sentences` in order, float32 [n, D]."""
        self.declare(sentences)
        self.prepare()
        places = np.fromiter((self._index[text] for text in sentences), np.int64, len(sentences))
        return self._rows_ND[places]

    def pictures(self, teacher: str, corpus: Corpus) -> NDArray[np.float32]:
        """An image teacher's rows of a corpus's pictures, [m, E]. Raises SuiteError where no run with teachers is
        scored.
        """
        if self._options.pictures is None:
            raise SuiteError(f"there is no run here, and so no image teacher '{teacher}' to ask for its rows")
        return self._options.pictures(teacher, corpus)

    def _add(self, sentences: list[str]) -> None:
        start = time.perf_counter()
        cache = self._options.cache / "sentences" if self._options.cache is not None else None
        ids = tokenize(self.backbone.tokenizer, sentences, cache)
        middle = time.perf_counter()
        with ExitStack() as stack:
            for guard in (forked_rng(), eval_mode(self.backbone), torch.inference_mode(), self._autocast()):
                stack.enter_context(guard)
            rows_ND = self._encode_ids(ids)
        self.seconds["tokenize"] += middle - start
        self.seconds["encode"] += time.perf_counter() - middle
        self.tokens += len(ids.flat)
        known = len(self._index)
        self._index.update((text, known + i) for i, text in enumerate(sentences))
        self._rows_ND = rows_ND if known == 0 else np.concatenate([self._rows_ND, rows_ND])

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._options.precision == "fp32":
            return nullcontext()
        return torch.autocast(self._device.type, torch.bfloat16)

    def _encode_ids(self, ids: TokenIds) -> NDArray[np.float32]:
        lengths = ids.lengths
        out_ND = np.empty((len(lengths), self.backbone.dim), np.float32)
        start, tokens, done = time.perf_counter(), 0, 0
        pack = self.backbone if isinstance(self.backbone, PackingBackbone) and self.backbone.packs else None
        for rows in self._batches(lengths, mixed=pack is not None):
            out_ND[rows] = (
                self._embed(ids, rows) if pack is None or not lengths[rows[0]] else self._pack(pack, ids, rows)
            )
            tokens, done = tokens + int(lengths[rows].sum()), done + len(rows)
            if self._options.progress is not None:
                self._options.progress(Pace(done, len(lengths), tokens, len(ids.flat), time.perf_counter() - start))
        if not np.isfinite(out_ND).all():
            raise TrainingError(
                "the encoder gives rows that are not finite: its weights are broken or its precision too low"
            )
        return out_ND

    def _batches(self, lengths: NDArray[np.int64], mixed: bool) -> Iterator[NDArray[np.int64]]:
        """Rows from short to long; sentences without tokens, and unless `mixed` those of each length, by themselves."""
        budget = self._options.budget or _BUDGET.get(self._device.type, _BUDGET["cuda"])
        order = np.argsort(lengths, kind="stable")
        kinds = np.minimum(lengths[order], 1) if mixed else lengths[order]
        for group in np.split(order, np.flatnonzero(np.diff(kinds)) + 1):
            ends = np.cumsum(np.maximum(lengths[group], 1))
            first = 0
            while first < len(group):
                taken = int(ends[first - 1]) if first else 0
                last = max(first + 1, int(np.searchsorted(ends, taken + budget, "right")))
                yield group[first:last]
                first = last

    def _pack(self, backbone: PackingBackbone, ids: TokenIds, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        packed = torch.from_numpy(ids.packed(rows)).to(self._device)
        found: NDArray[np.float32] = backbone.embed_packed(packed, ids.lengths[rows].tolist()).float().cpu().numpy()
        return found

    def _embed(self, ids: TokenIds, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Sentences of one length as a rectangle."""
        ids_NL = ids.rectangle(rows, int(ids.lengths[rows[0]]))
        empty = ids_NL.shape[1] == 0  # a tokenizer without special tokens, and a sentence without a known word
        if empty:
            ids_NL = np.full((len(ids_NL), 1), self.backbone.tokenizer.pad_id, np.int64)
        ids_on = torch.from_numpy(ids_NL).to(self._device)
        mask = torch.zeros_like(ids_on) if empty else torch.ones_like(ids_on)
        found: NDArray[np.float32] = self.backbone.embed(TokenBatch(ids_on, mask)).float().cpu().numpy()
        return found
