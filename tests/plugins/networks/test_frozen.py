"""Batches by length and rows in order."""

from __future__ import annotations

import torch

from dalr_bench_plugins.networks.frozen import by_length, in_batches


def test_batches_hold_every_place_once_longest_first() -> None:
    lengths = [3, 9, 1, 9, 4, 2, 7]
    batches = list(by_length(lengths, 3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert sorted(place for batch in batches for place in batch) == list(range(7))
    assert [lengths[place] for batch in batches for place in batch] == sorted(lengths, reverse=True)
    assert batches[0][:2] == [1, 3]
    assert list(by_length([], 3)) == []


def test_in_batches_is_one_call_cut_up() -> None:
    asked: list[int] = []

    def encode(items: object) -> torch.Tensor:
        some = list(items)  # type: ignore[call-overload]
        asked.append(len(some))
        return torch.tensor(some, dtype=torch.float64)[:, None] * 2

    rows = in_batches([1, 2, 3, 4, 5], 2, encode)
    assert rows.tolist() == [[2.0], [4.0], [6.0], [8.0], [10.0]]
    assert (asked, rows.dtype) == ([2, 2, 1], torch.float32)
    assert in_batches([], 2, encode).shape == (0, 0)
