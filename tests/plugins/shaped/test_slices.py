"""Slices by counting: every row once, few shapes whatever the lengths, widths that fit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dalr_bench_plugins.shaped.slices import filled, rows_of_a_slice, width_of, widths_of


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=70))
def test_every_row_is_there_once_and_fits_into_its_slice(lengths: list[int]) -> None:
    lengths_N = np.array(lengths)
    rows = rows_of_a_slice(len(lengths), "cpu", graphs=False)
    order = filled(lengths_N, rows)
    assert len(order) % rows == 0
    assert sorted(order[: len(lengths)].tolist()) == list(range(len(lengths)))
    assert len(order) - len(lengths) < rows
    widths = widths_of(lengths_N, order, rows, 40)
    assert len(widths) == len(order) // rows
    for number, width in enumerate(widths):
        longest = max(lengths[row] for row in order[number * rows : (number + 1) * rows])
        assert longest <= width <= 40
    assert widths == sorted(widths)


def test_the_rows_of_a_slice_follow_from_the_batch_alone() -> None:
    assert [rows_of_a_slice(count, "cpu", graphs=False) for count in (2, 10, 16, 64, 65, 512)] == [4, 12, 16, 16, 16, 16]
    assert [rows_of_a_slice(count, "cuda", graphs=False) for count in (10, 64, 128, 512)] == [12, 64, 64, 64]
    assert [rows_of_a_slice(count, "cuda", graphs=True) for count in (10, 64, 128, 512)] == [12, 64, 64, 256]


def test_widths_are_few() -> None:
    assert [width_of(length, 32) for length in (1, 8, 9, 24, 25, 32)] == [8, 8, 16, 24, 32, 32]
    assert [width_of(length, 512) for length in (33, 64, 65, 128, 129, 257, 500)] == [40, 64, 80, 128, 160, 320, 512]
    assert width_of(29, 30) == 30  # a model that has no more positions
    assert len({width_of(length, 512) for length in range(1, 513)}) == 20
    wasted = sum(width_of(length, 512) for length in range(1, 513)) / sum(range(1, 513))
    assert wasted < 1.1
