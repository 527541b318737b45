from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalr_bench.table.stats import mean, rank, std

numbers = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20)


@given(numbers)
def test_mean_and_std_agree_with_the_standard_library(values: list[float]) -> None:
    assert mean(values) == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert std(values) == pytest.approx(statistics.stdev(values), abs=1e-6)


def test_one_value_has_no_spread() -> None:
    assert std([3.0]) is None


@pytest.mark.parametrize(
    ("values", "lower", "best", "second"),
    [
        ([1, 2, 3], False, {2}, {1}),
        ([1, 2, 3], True, {0}, {1}),
        ([3, 3, 1], False, {0, 1}, {2}),
        ([3, 1, 1], False, {0}, {1, 2}),
        ([2, 2], False, {0, 1}, set()),
        ([None, 2, 1], False, {1}, {2}),
        ([None, 2], False, set(), set()),
        ([], False, set(), set()),
    ],
)
def test_best_and_second(values: list[float | None], lower: bool, best: set[int], second: set[int]) -> None:
    assert rank(values, lower) == (best, second)
