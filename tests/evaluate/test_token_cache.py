"""Token ids on disk: keyed by tokenizer and sentences, whole or made again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dalr_bench.evaluate.token_cache import TokenIds, tokenize


class Words:
    pad_id, mask_id, special_ids, size = 0, None, frozenset({0}), 100

    def __init__(self, fingerprint: str = "words") -> None:
        self.fingerprint, self.calls = fingerprint, 0

    def __call__(self, sentences: Sequence[str]) -> list[list[int]]:
        self.calls += 1
        return [[len(word) for word in sentence.split()] for sentence in sentences]


TEXTS = ["a bb ccc", "", "dddd a"]


def rows(ids: TokenIds) -> list[list[int]]:
    return [ids.flat[a:b].tolist() for a, b in zip(ids.offsets[:-1], ids.offsets[1:], strict=True)]


def test_packed_ids_are_the_tokenizers() -> None:
    ids = tokenize(Words(), TEXTS, None)
    assert rows(ids) == [[1, 2, 3], [], [4, 1]]
    assert ids.lengths.tolist() == [3, 0, 2]
    assert tokenize(Words(), ["a bb", "cc d"], None).rectangle(np.array([1, 0]), 2).tolist() == [[2, 1], [1, 2]]


def test_the_key_is_the_tokenizer_and_the_sentences(tmp_path: Path) -> None:
    first = Words()
    assert rows(tokenize(first, TEXTS, tmp_path)) == rows(tokenize(first, TEXTS, tmp_path))
    assert first.calls == 1
    for other, texts in (
        (Words("other"), TEXTS),
        (Words(), TEXTS[:2]),
        (Words(), TEXTS[::-1]),
        (Words(), ["a bb cccdddd a"]),
    ):
        tokenize(other, texts, tmp_path)
        assert other.calls == 1


def test_sentences_are_told_apart_by_where_they_end(tmp_path: Path) -> None:
    words = Words()
    assert rows(tokenize(words, ["a b", "c"], tmp_path)) != rows(tokenize(words, ["a", "b c"], tmp_path))
    assert words.calls == 2


@pytest.mark.parametrize("damage", [b"", b"not an array"])
def test_a_damaged_file_is_not_believed(tmp_path: Path, damage: bytes) -> None:
    expected = rows(tokenize(Words(), TEXTS, tmp_path))
    kept = list(tmp_path.rglob("flat.npy"))
    assert len(kept) == 1
    kept[0].write_bytes(damage)
    again = Words()
    assert rows(tokenize(again, TEXTS, tmp_path)) == expected
    assert again.calls == 1


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert rows(tokenize(Words(), TEXTS, blocked / "below")) == [[1, 2, 3], [], [4, 1]]
