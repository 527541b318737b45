"""Token ids of a set of sentences, tokenised once per tokenizer and kept on disk: a second checkpoint pays nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dalr_bench.cache import READY, build_once
from dalr_bench.protocols import Tokenizer


@dataclass(frozen=True)
class TokenIds:
    """Packed ids: sentence i owns `flat[offsets[i]:offsets[i + 1]]`."""

    flat: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each sentence, special ones included, [n]."""
        lengths: NDArray[np.int64] = self.offsets[1:] - self.offsets[:-1]
        return lengths

    def rectangle(self, rows: NDArray[np.int64], length: int) -> NDArray[np.int64]:
        """Ids of sentences that all have `length` tokens, [n, length]."""
        places = self.offsets[rows][:, None] + np.arange(length)
        ids: NDArray[np.int64] = self.flat[places].astype(np.int64)
        return ids

    def packed(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ids of sentences one after another, [the sum of their lengths]."""
        lengths = self.lengths[rows]
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1]) + np.repeat(self.offsets[rows] - (ends - lengths), lengths)
        ids: NDArray[np.int64] = self.flat[places].astype(np.int64)
        return ids


def tokenize(tokenizer: Tokenizer, sentences: Sequence[str], folder: Path | None) -> TokenIds:
    """Ids of `sentences` in order, from `folder` where an earlier run left them (and left there for a later one)."""
    if folder is None or not sentences:
        return _pack(tokenizer(sentences))
    made: list[TokenIds] = []

    def build(target: Path) -> None:
        made.append(_pack(tokenizer(sentences)))
        _write(target, made[0])

    # A cache that cannot be written or read back (a full or read-only disk, a cut file) costs time, never a run.
    with contextlib.suppress(OSError, ValueError, EOFError):
        kept = build_once(folder / _key(tokenizer.fingerprint, sentences), build)
        return made[0] if made else _read(kept, len(sentences))
    return made[0] if made else _pack(tokenizer(sentences))


def _pack(ids: Sequence[Sequence[int]]) -> TokenIds:
    offsets = np.zeros(len(ids) + 1, np.int64)
    np.cumsum([len(row) for row in ids], out=offsets[1:])
    flat = np.fromiter((number for row in ids for number in row), np.int32, int(offsets[-1]))
    return TokenIds(flat, offsets)


def _key(fingerprint: str, sentences: Sequence[str]) -> str:
    digest = hashlib.sha256(fingerprint.encode())
    for sentence in sentences:
        raw = sentence.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return digest.hexdigest()[:40]


def _write(folder: Path, ids: TokenIds) -> None:
    np.save(folder / "flat.npy", ids.flat)
    np.save(folder / "offsets.npy", ids.offsets)
    (folder / READY).write_text(json.dumps({"sentences": len(ids.lengths), "tokens": len(ids.flat)}))


def _read(folder: Path, count: int) -> TokenIds:
    ids = TokenIds(*(np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("flat", "offsets")))
    if len(ids.offsets) != count + 1 or ids.offsets[-1] != len(ids.flat):
        raise ValueError("not the ids of these sentences")
    return ids
