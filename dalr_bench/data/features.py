"""A frozen teacher's rows for one corpus: computed once, memory-mapped, gathered by row number in the step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dalr_bench.cache import READY, build_once, cache_root
from dalr_bench.errors import DataError
from dalr_bench.types import Corpus, Side

_CHUNK = 2048
Progress = Callable[[int, int], None]
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class FeatureStore:
    """Rows of one side, [n, T] float32 on disk. For token states the rows of all sentences lie one after another, cut by `offsets`."""

    rows: Array
    offsets: Array | None = None

    @property
    def width(self) -> int:
        return int(self.rows.shape[1])


@dataclass(frozen=True)
class Ask:
    """What to store: `encode` maps a slice of the corpus to rows (or to one [L, T] tensor a sentence for states);
    `whole`, where there is one, gives the rows of the corpus at once and `encode` is not asked.
    """

    side: Side
    fingerprint: str
    encode: Callable[[Any], Any]
    whole: Callable[[Corpus, Side], torch.Tensor] | None = None


def feature_store(ask: Ask, corpus: Corpus, progress: Progress | None = None) -> FeatureStore:
    """The stored rows, asking the teacher first where they are not there. Keyed by teacher × corpus × side.

    Raises DataError where the teacher's rows are not one per sentence (or picture) or not finite.
    """
    key = hashlib.sha256(f"features-1|{ask.fingerprint}|{corpus.fingerprint}|{ask.side}".encode()).hexdigest()[:32]
    folder = build_once(cache_root() / "features" / key, lambda target: _write(target, ask, corpus, progress))
    offsets = folder / "offsets.npy"
    return FeatureStore(
        np.load(folder / "rows.npy", mmap_mode="r"), np.load(offsets, mmap_mode="r") if offsets.exists() else None
    )


def _write(folder: Path, ask: Ask, corpus: Corpus, progress: Progress | None) -> None:
    parts: list[Array] = []
    lengths: list[int] = []
    total = len(corpus.images or ()) if ask.side == "image" else len(corpus.sentences)
    done = 0
    if ask.whole is not None:
        parts.append(_finite(ask.whole(corpus, ask.side)))
    for inputs in _chunks(ask.side, corpus) if ask.whole is None else ():
        rows, sizes = _answer(ask, inputs)
        parts.append(rows)
        lengths += sizes
        done += len(inputs)
        if progress is not None:
            progress(done, total)
    out = np.concatenate(parts)
    np.save(folder / "rows.npy", out)
    if ask.side == "states":
        np.save(folder / "offsets.npy", np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    (folder / READY).write_text(
        json.dumps({"rows": len(out), "width": int(out.shape[1]), "side": ask.side, "teacher": ask.fingerprint})
    )


def _chunks(side: Side, corpus: Corpus) -> Iterator[Sequence[Any]]:
    if side != "image":
        for start in range(0, len(corpus.sentences), _CHUNK):
            yield list(corpus.sentences[start : start + _CHUNK])
        return
    images = corpus.images
    if images is None:
        raise DataError("a teacher's image side is asked for, but this corpus has no pictures")
    for start in range(0, len(images), _CHUNK // 8):
        yield [images[row] for row in range(start, min(len(images), start + _CHUNK // 8))]


def _answer(ask: Ask, inputs: Sequence[Any]) -> tuple[Array, list[int]]:
    with torch.inference_mode():
        answer = ask.encode(inputs)
    if ask.side == "states":
        sizes = [len(states) for states in answer]
        rows = torch.cat(list(answer))
        short = len(answer) != len(inputs)
    else:
        sizes, rows = [], answer
        short = rows.ndim != 2 or len(rows) != len(inputs)
    if short:
        raise DataError(f"teacher gave {tuple(rows.shape)} for {len(inputs)} inputs; expected one row each, in order")
    return _finite(rows), sizes


def _finite(rows: torch.Tensor) -> Array:
    out: Array = rows.float().cpu().numpy()
    if not np.isfinite(out).all():
        raise DataError("teacher gave rows that are not finite")
    return out
