"""A frozen teacher's rows for one corpus: computed once, sharded, memory-mapped, gathered by row number in the step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from dalr_bench.cache import store_root
from dalr_bench.cache_folder import mark_used
from dalr_bench.caches import keep_bound
from dalr_bench.data.building import Build, Make, Progress
from dalr_bench.data.shards import Array, Table, complete, note_file, open_table, written
from dalr_bench.errors import DataError, counted
from dalr_bench.types import Corpus, Side

_CHUNK = 2048
# Items of a shard: about 200 MB of rows 768 wide in fp32 (sentences); pictures are dear to compute, states are many rows.
SHARD: dict[Side, int] = {"text": 65_536, "image": 8_192, "states": 8_192}
RowType = Literal["fp32", "fp16"]
_DTYPES: dict[str, type[np.floating[Any]]] = {"fp32": np.float32, "fp16": np.float16}


@dataclass(frozen=True)
class FeatureStore:
    """Rows of one side, [n, T]. For token states the rows of all sentences lie one after another, cut by `offsets`."""

    rows: Table
    offsets: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None

    @property
    def width(self) -> int:
        return self.rows.width


@dataclass(frozen=True)
class Ask:
    """What to store: `encode` maps a slice of the corpus to rows (or to one [L, T] tensor a sentence for states);
    `whole`, where there is one, gives the rows of the corpus at once and `encode` is not asked.

    `fingerprint` must hold all that decides the rows beside the corpus: weights, tokenizer, pooling, maximum length.
    `more` are the same teacher on further devices: shards are spread over all of them.
    """

    side: Side
    fingerprint: str
    encode: Callable[[Any], Any]
    whole: Callable[[Corpus, Side], torch.Tensor] | None = None
    rows: RowType = "fp32"
    more: Sequence[Callable[[Any], Any]] = ()


def store_key(ask: Ask, corpus: Corpus) -> str:
    """Name of a store: teacher × corpus × side × type of its numbers."""
    parts = ("features-2", ask.fingerprint, corpus.fingerprint, ask.side, ask.rows)
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]


def feature_store(ask: Ask, corpus: Corpus, progress: Progress | None = None) -> FeatureStore:
    """The stored rows, asking the teacher first for those that are not there. `store_key` names them.

    Raises DataError where the teacher's rows are not one per sentence (or picture) or not finite.
    """
    folder = store_root(corpus.stores) / "features" / store_key(ask, corpus)
    if complete(folder) is None:
        # Rows that exist already come at once, as one shard.
        items, size = (1, 1) if ask.whole is not None else (_count(ask.side, corpus), SHARD[ask.side])
        meta = {"side": ask.side, "rows_as": ask.rows, "teacher": ask.fingerprint}
        Build(folder, items, size, meta, progress).run([_maker(ask, corpus, one) for one in (ask.encode, *ask.more)])
        mark_used(folder)
        keep_bound()
    mark_used(folder)
    meta = complete(folder) or {}
    count = int(meta["shards"])
    return FeatureStore(open_table(folder, count), _offsets(folder, count) if ask.side == "states" else None)


def _count(side: Side, corpus: Corpus) -> int:
    if side != "image":
        return len(corpus.sentences)
    if corpus.images is None:
        raise DataError("a teacher's image side is asked for, but this corpus has no pictures")
    return len(corpus.images)


def _maker(ask: Ask, corpus: Corpus, encode: Callable[[Any], Any]) -> Make:
    def make(first: int, last: int) -> tuple[Array, dict[str, Any]]:
        if ask.whole is not None:
            return _finite(ask.whole(corpus, ask.side), ask.rows), {}
        if ask.side == "image":
            return _pictures(ask, corpus.images, encode, range(first, last)), {}
        return _sentences(ask, list(corpus.sentences[first:last]), encode)

    return make


def _pictures(ask: Ask, images: Any, encode: Callable[[Any], Any], items: range) -> Array:
    step = _CHUNK // 8
    chunks = (items[start : start + step] for start in range(0, len(items), step))
    return np.concatenate([_answer(ask, encode, [images[row] for row in chunk])[0] for chunk in chunks])


def _sentences(ask: Ask, sentences: list[str], encode: Callable[[Any], Any]) -> tuple[Array, dict[str, Any]]:
    """Rows in order, asked from long to short: sentences of a length share a batch, and what does not fit shows at once."""
    order = sorted(range(len(sentences)), key=lambda row: (-len(sentences[row]), row))
    found: list[Array] = []
    sizes: list[int] = []
    for start in range(0, len(order), _CHUNK):
        rows, lengths = _answer(ask, encode, [sentences[row] for row in order[start : start + _CHUNK]])
        found.append(rows)
        sizes += lengths
    joined = np.concatenate(found)
    if ask.side != "states":
        out = np.empty_like(joined)
        out[order] = joined
        return out, {}
    pieces = np.split(joined, np.cumsum(sizes)[:-1])
    place = np.argsort(np.asarray(order))
    return np.concatenate([pieces[at] for at in place]), {"lengths": [sizes[at] for at in place]}


def _answer(ask: Ask, encode: Callable[[Any], Any], inputs: Sequence[Any]) -> tuple[Array, list[int]]:
    with torch.inference_mode():
        answer = encode(inputs)
    if ask.side == "states":
        sizes = [len(states) for states in answer]
        rows = torch.cat(list(answer))
        short = len(answer) != len(inputs)
    else:
        sizes, rows = [], answer
        short = rows.ndim != 2 or len(rows) != len(inputs)
    if short:
        raise DataError(f"teacher gave {tuple(rows.shape)} for {counted(len(inputs), 'input')}; expected one row each, in order")
    return _finite(rows, ask.rows), sizes


def _finite(rows: torch.Tensor, kind: RowType) -> Array:
    with np.errstate(over="ignore"):  # what is too large for fp16 becomes infinite, and is told below
        out: Array = rows.float().cpu().numpy().astype(_DTYPES[kind], copy=False)
    if not np.isfinite(out).all():
        raise DataError(f"teacher gave rows that are not finite{' in fp16' if kind == 'fp16' else ''}")
    return out


def _offsets(folder: Path, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    lengths: list[int] = []
    for number in range(count):
        note = written(folder, number)
        if note is None:
            raise DataError(f"{note_file(folder, number)}: went away while it was read")
        lengths += note["lengths"]
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
