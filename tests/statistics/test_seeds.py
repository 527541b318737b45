from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from dalr_bench.statistics.seeds import effect, half_width, improvement, sign_flips


def test_five_seeds_cannot_go_below_their_floor() -> None:
    found = sign_flips([0.1, 0.2, 0.3, 0.4, 0.5])
    assert found.exact
    assert (found.greater, found.floor_greater) == (1 / 32, 1 / 32)
    assert (found.two_sided, found.floor_two_sided) == (1 / 16, 1 / 16)
    assert sign_flips([-0.1, -0.2, -0.3, -0.4, -0.5]).greater == 1


def test_patterns_counted_by_hand() -> None:
    # Sums of ±1 ±2 ±3: 6 4 2 0 0 -2 -4 -6; seen 1+2-3 = 0, and seen -1+2+3 = 4.
    assert sign_flips([1, 2, -3]).two_sided == 1
    assert sign_flips([-1, 2, 3]).greater == 2 / 8
    assert sign_flips([-1, 2, 3]).two_sided == 4 / 8


@pytest.mark.parametrize("seed", range(5))
def test_it_is_scipys_permutation_test(seed: int) -> None:
    values = np.random.default_rng(seed).normal(0.3, 1, 7)
    expected = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flips(values.tolist()).two_sided == pytest.approx(expected.pvalue)


def test_many_pairs_are_drawn_and_say_so() -> None:
    values = np.random.default_rng(0).normal(0.4, 1, 30).tolist()
    found = sign_flips(values)
    assert not found.exact
    assert found.floor_two_sided == 1e-4
    assert found.two_sided == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.02)


def test_no_difference_at_all_is_no_evidence() -> None:
    assert sign_flips([0, 0, 0]).two_sided == 1


def test_half_width_is_the_paired_ts() -> None:
    values = [0.5, 0.7, 0.4, 0.9]
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert half_width(float(np.std(values, ddof=1)), 4) == pytest.approx((high - low) / 2)


@pytest.mark.parametrize("values", [[0.1, 0.3, 0.2, 0.5, 0.05], [-1, 2, 0.5], [1.0, 1.4]])
def test_the_effects_ends_leave_both_tails(values: list[float]) -> None:
    found, n = effect(values), len(values)
    assert found is not None
    assert found.size == pytest.approx(np.mean(values) / np.std(values, ddof=1))
    t = found.size * math.sqrt(n)
    assert stats.nct.cdf(t, n - 1, found.interval.low * math.sqrt(n)) == pytest.approx(0.975, abs=1e-3)
    assert stats.nct.cdf(t, n - 1, found.interval.high * math.sqrt(n)) == pytest.approx(0.025, abs=1e-3)


def test_the_effects_interval_covers() -> None:
    rng = np.random.default_rng(0)
    found = [effect(row.tolist()) for row in rng.normal(0.8, 1, (300, 5))]
    covered = np.mean([each.interval.low <= 0.8 <= each.interval.high for each in found if each is not None])
    assert 0.91 <= covered <= 0.99


def test_far_out_it_is_still_a_number() -> None:
    found = effect([1.0, 1.001, 0.999])
    assert found is not None
    assert 0 < found.interval.low < found.size < found.interval.high < math.inf


def test_no_spread_has_no_effect_size() -> None:
    assert effect([0.5]) is None
    assert effect([0.2, 0.2, 0.2]) is None
    assert effect([0.0, 0.0]) is None


def test_improvement_counts_pairs() -> None:
    ours, theirs = [3, 2, 1], [2, 0]
    expected = np.mean([1 if a > b else 0.5 if a == b else 0 for a, b in product(ours, theirs)])
    assert improvement(ours, theirs) == expected == 4.5 / 6
    assert improvement([1], [1]) == 0.5
