"""One tokenizer's ids for one corpus: packed integers and offsets on disk, a padded batch on the device by one gather."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dalr_bench.cache import READY, build_once, cache_root
from dalr_bench.errors import DataError
from dalr_bench.protocols import Tokenizer
from dalr_bench.types import Corpus, TokenBatch

_CHUNK = 20_000


@dataclass(frozen=True)
class TokenStore:
    """`ids[offsets[i]:offsets[i + 1]]` are the tokens of sentence i, special tokens included. Memory-mapped."""

    ids: np.ndarray[tuple[int], np.dtype[np.int32]]
    offsets: np.ndarray[tuple[int], np.dtype[np.int64]]
    pad_id: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.diff(self.offsets)


def token_store(tokenizer: Tokenizer, corpus: Corpus, column: str | None = None) -> TokenStore:
    """Tokenise a corpus (or one of its columns) once per tokenizer; later calls map the file. Raises DataError for an empty one."""
    sentences = corpus.sentences if column is None else corpus.columns[column]
    if not len(sentences):
        raise DataError("the corpus holds no sentence")
    if len(sentences) != len(corpus.sentences):
        raise DataError(f"column '{column}' has {len(sentences)} rows, the corpus {len(corpus.sentences)}")
    key = hashlib.sha256(f"tokens-1|{tokenizer.fingerprint}|{corpus.fingerprint}|{column or ''}".encode()).hexdigest()[
        :32
    ]
    folder = build_once(cache_root() / "tokens" / key, lambda target: _write(target, tokenizer, sentences))
    return TokenStore(
        np.load(folder / "ids.npy", mmap_mode="r"), np.load(folder / "offsets.npy", mmap_mode="r"), tokenizer.pad_id
    )


def _write(folder: Path, tokenizer: Tokenizer, sentences: Sequence[str]) -> None:
    lengths: list[int] = []
    chunks: list[np.ndarray[tuple[int], np.dtype[np.int32]]] = []
    for start in range(0, len(sentences), _CHUNK):
        rows = tokenizer(sentences[start : start + _CHUNK])
        lengths += map(len, rows)
        chunks.append(np.fromiter((i for row in rows for i in row), np.int32))
    np.save(folder / "ids.npy", np.concatenate(chunks))
    np.save(folder / "offsets.npy", np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    (folder / READY).write_text(
        json.dumps({"sentences": len(lengths), "tokens": int(sum(lengths)), "tokenizer": tokenizer.fingerprint})
    )


class DeviceTokens:
    """A token store resident on the device (a million short sentences are under 100 MB)."""

    def __init__(self, store: TokenStore, device: torch.device) -> None:
        self.lengths = store.lengths  # on the host: the padded width is known without asking the device
        self._pad = store.pad_id
        self._ids = torch.from_numpy(np.array(store.ids)).to(device)
        self._offsets = torch.from_numpy(np.array(store.offsets)).to(device)

    def batch(self, rows: np.ndarray[tuple[int], np.dtype[np.int64]], rows_N: torch.Tensor) -> TokenBatch:
        """Right-padded ids and mask, both [N, L]; L is the longest of the batch. `rows_N` are the same rows on the device."""
        lengths_N = self.lengths[rows]
        width = int(lengths_N.max())
        start_N = self._offsets[rows_N]
        length_N = self._offsets[rows_N + 1] - start_N
        position_L = torch.arange(width, device=self._ids.device)
        mask_NL = position_L < length_N[:, None]
        index_NL = (start_N[:, None] + position_L).clamp_(max=len(self._ids) - 1)
        ids_NL = torch.where(mask_NL, self._ids[index_NL].long(), self._pad)
        return TokenBatch(ids_NL, mask_NL.long(), lengths_N)
