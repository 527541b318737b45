from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dalr_bench.table.model import Spread
from dalr_bench.table.stats import mean, rank, spread, std

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


def test_what_follows_the_plus_minus() -> None:
    values = [70.0, 71.0, 73.0, 74.0]
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert spread(std(values), 4, "std") == std(values)
    assert spread(std(values), 4, "sem") == pytest.approx(stats.sem(values))
    assert spread(std(values), 4, "ci") == pytest.approx((high - low) / 2)


@pytest.mark.parametrize("kind", ["sem", "ci"])
def test_one_value_and_a_published_deviation_have_no_interval(kind: Spread) -> None:
    assert spread(None, 1, kind) is None
    assert spread(0.3, 0, kind) is None
