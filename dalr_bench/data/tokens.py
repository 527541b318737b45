"""One tokenizer's ids for one corpus: packed integers and offsets on disk, a padded batch on the device by one gather.

Two bytes an id where the vocabulary allows, else four. A store of up to 1 GiB (some 20 million sentences of 25 tokens) lies on the device
as a whole; a larger one stays in its file, and a step's rows are gathered from there on the host.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dalr_bench.cache import READY, build_once, store_root
from dalr_bench.errors import DataError, counted
from dalr_bench.protocols import Tokenizer
from dalr_bench.sending import sent
from dalr_bench.types import Corpus, TokenBatch

_CHUNK = 20_000
IDS, OFFSETS = "ids.npy", "offsets.npy"
RESIDENT_BYTES = 1 << 30


@dataclass(frozen=True)
class TokenStore:
    """`ids[offsets[i]:offsets[i + 1]]` are the tokens of sentence i, special tokens included. Memory-mapped; uint16 or int32."""

    ids: np.ndarray[tuple[int], np.dtype[Any]]
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
        raise DataError(f"column '{column}' has {counted(len(sentences), 'row')}, the corpus {len(corpus.sentences)}")
    key = hashlib.sha256(f"tokens-2|{tokenizer.fingerprint}|{corpus.fingerprint}|{column or ''}".encode()).hexdigest()
    wanted = store_root(corpus.stores) / "tokens" / key[:32]
    folder = build_once(wanted, lambda target: _write(target, tokenizer, sentences), _whole)
    return TokenStore(np.load(folder / IDS, mmap_mode="r"), np.load(folder / OFFSETS, mmap_mode="r"), tokenizer.pad_id)


def _write(folder: Path, tokenizer: Tokenizer, sentences: Sequence[str]) -> None:
    dtype = np.dtype(np.uint16 if max(tokenizer.size, tokenizer.pad_id + 1) <= 1 << 16 else np.int32)
    lengths: list[int] = []
    flat = folder / "flat"
    with flat.open("wb") as out:
        for start in range(0, len(sentences), _CHUNK):
            rows = tokenizer(sentences[start : start + _CHUNK])
            lengths += map(len, rows)
            np.fromiter((i for row in rows for i in row), np.int32).astype(dtype).tofile(out)
    tokens = int(sum(lengths))
    ids = np.lib.format.open_memmap(folder / IDS, "w+", dtype, (tokens,))
    if tokens:
        ids[:] = np.memmap(flat, dtype, "r", shape=(tokens,))
    ids.flush()
    flat.unlink()
    np.save(folder / OFFSETS, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    sizes = {name: (folder / name).stat().st_size for name in (IDS, OFFSETS)}
    about = {"sentences": len(lengths), "tokens": tokens, "tokenizer": tokenizer.fingerprint, "bytes": sizes}
    (folder / READY).write_text(json.dumps(about))


def _whole(folder: Path) -> bool:
    """Whether the files are as long as they were written: a store that was cut is built again."""
    try:
        sizes = json.loads((folder / READY).read_text())["bytes"]
        return all((folder / name).stat().st_size == sizes[name] for name in (IDS, OFFSETS))
    except (OSError, ValueError, KeyError):
        return False


class DeviceTokens:
    """A token store resident on the device (a million short sentences are under 100 MB)."""

    def __init__(self, store: TokenStore, device: torch.device) -> None:
        self.lengths = store.lengths  # on the host: the padded width is known without asking the device
        self._pad = store.pad_id
        ids = np.array(store.ids)
        # torch gathers int16 everywhere, uint16 not: two bytes are kept, and read as they were meant.
        self._two_bytes = ids.dtype == np.uint16
        self._ids = torch.from_numpy(ids.view(np.int16) if self._two_bytes else ids).to(device)
        self._offsets = torch.from_numpy(np.array(store.offsets)).to(device)

    @property
    def device(self) -> torch.device:
        """Where the ids are."""
        return self._ids.device

    def batch(self, rows: np.ndarray[tuple[int], np.dtype[np.int64]], rows_N: torch.Tensor) -> TokenBatch:
        """Right-padded ids and mask, both [N, L]; L is the longest of the batch. `rows_N` are the same rows on the device."""
        lengths_N = self.lengths[rows]
        width = int(lengths_N.max())
        start_N = self._offsets[rows_N]
        length_N = self._offsets[rows_N + 1] - start_N
        position_L = torch.arange(width, device=self._ids.device)
        mask_NL = position_L < length_N[:, None]
        index_NL = (start_N[:, None] + position_L).clamp_(max=len(self._ids) - 1)
        found_NL = self._ids[index_NL].long()
        ids_NL = torch.where(mask_NL, found_NL & 0xFFFF if self._two_bytes else found_NL, self._pad)
        return TokenBatch(ids_NL, mask_NL.long(), lengths_N)


class PagedTokens:
    """A token store too large for the device: a batch is gathered from the mapped file and copied without waiting."""

    def __init__(self, store: TokenStore, device: torch.device) -> None:
        self.lengths = store.lengths
        self._store, self._device = store, device

    def batch(self, rows: np.ndarray[tuple[int], np.dtype[np.int64]], rows_N: torch.Tensor) -> TokenBatch:
        """As of `DeviceTokens`; `rows_N` is not looked at."""
        lengths_N = self.lengths[rows]
        position_L = np.arange(int(lengths_N.max()))
        mask_NL = position_L < lengths_N[:, None]
        index_NL = np.minimum(self._store.offsets[rows][:, None] + position_L, len(self._store.ids) - 1)
        ids_NL = np.where(mask_NL, self._store.ids[index_NL].astype(np.int64), self._store.pad_id)
        sent_NL, sent_mask_NL = (sent(torch.from_numpy(part), self._device) for part in (ids_NL, mask_NL.astype(np.int64)))
        return TokenBatch(sent_NL, sent_mask_NL, lengths_N)


def tokens_on(store: TokenStore, device: torch.device) -> DeviceTokens | PagedTokens:
    """The store as a run reads it on that device."""
    return (DeviceTokens if store.ids.nbytes <= RESIDENT_BYTES else PagedTokens)(store, device)
