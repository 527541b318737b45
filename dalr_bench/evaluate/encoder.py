"""One encoding per sentence: evaluators declare, the union is encoded once without padding, everybody looks up."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dalr_bench.errors import SuiteError, TrainingError
from dalr_bench.evaluate.batches import BatchEncoder, Encoded, Precision, one_by_one
from dalr_bench.evaluate.token_cache import TokenIds, tokenize
from dalr_bench.protocols import Backbone, OpenSpace
from dalr_bench.types import Corpus


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
    `encoded`: who encodes the batches (several processes may share them).
    `spaces` and `pictures` are the joint spaces and the image teachers of the run the backbone belongs to.
    """

    precision: Precision = "fp32"
    budget: int | None = None
    cache: Path | None = None
    progress: Progress | None = None
    spaces: Mapping[str, OpenSpace] = field(default_factory=dict)
    pictures: Callable[[str, Corpus], NDArray[np.float32]] | None = None
    encoded: Encoded = one_by_one


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
        options = self._options
        encoder = BatchEncoder(self.backbone, self._device, options.precision, options.budget)
        with encoder.looking():
            rows_ND = self._encode_ids(encoder, ids)
        self.seconds["tokenize"] += middle - start
        self.seconds["encode"] += time.perf_counter() - middle
        self.tokens += len(ids.flat)
        known = len(self._index)
        self._index.update((text, known + i) for i, text in enumerate(sentences))
        self._rows_ND = rows_ND if known == 0 else np.concatenate([self._rows_ND, rows_ND])

    def _encode_ids(self, encoder: BatchEncoder, ids: TokenIds) -> NDArray[np.float32]:
        lengths = ids.lengths
        out_ND = np.empty((len(lengths), self.backbone.dim), np.float32)
        start, tokens, done = time.perf_counter(), 0, 0
        for batch, rows_ND in self._options.encoded(encoder, ids, list(encoder.batches(lengths))):
            out_ND[batch] = rows_ND
            tokens, done = tokens + int(lengths[batch].sum()), done + len(batch)
            if self._options.progress is not None:
                self._options.progress(Pace(done, len(lengths), tokens, len(ids.flat), time.perf_counter() - start))
        if not np.isfinite(out_ND).all():
            raise TrainingError(
                "the encoder gives rows that are not finite: its weights are broken or its precision too low"
            )
        return out_ND
