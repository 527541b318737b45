from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from dalr_bench.statistics.paired import Reference, difference, hierarchical
from dalr_bench.statistics.resample import accuracy_draws

RNG = np.random.default_rng


def test_the_hierarchical_bootstrap_of_two_seeds_and_three_examples() -> None:
    """All 27 · 4 outcomes, enumerated: examples are drawn once for all seeds, seeds for each draw."""
    right = np.array([[1, 0, 1], [0, 0, 1]])
    drawn = accuracy_draws(right, np.ones(3, int), 60_000, RNG(0))
    found = hierarchical(drawn, RNG(1))
    outcomes = [
        np.mean([right[seed][list(rows)].mean() for seed in seeds])
        for rows in product(range(3), repeat=3)
        for seeds in product(range(2), repeat=2)
    ]
    values = sorted({round(value, 9) for value in outcomes})
    assert len(values) > 4
    for value in values:
        expected = np.mean(np.isclose(outcomes, value))
        assert np.mean(np.isclose(found, value)) == pytest.approx(expected, abs=0.01)


def test_its_variance_is_the_sum_of_both_parts() -> None:
    rng = RNG(0)
    seeds, examples = np.array([0.1, 0.2, 0.4, 0.7]), rng.normal(0, 0.3, 40_000)
    found = hierarchical(seeds + examples[:, None], RNG(1))
    assert found.var() == pytest.approx(seeds.var() / 4 + 0.09, rel=0.03)


def test_seeds_alone_are_the_paired_t() -> None:
    values = np.array([0.5, 0.7, -0.1, 0.9, 0.3])
    found, expected = difference(values, None, RNG(0)), stats.ttest_1samp(values, 0)
    low, high = expected.confidence_interval(0.95)
    assert found.basis == "seeds"
    assert found.p == pytest.approx(expected.pvalue)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (pytest.approx(low), pytest.approx(high))
    assert found.freedom == 4


def test_examples_that_do_not_matter_leave_the_paired_t() -> None:
    values = np.array([0.5, 0.7, -0.1, 0.9, 0.3])
    found = difference(values, np.tile(values, (500, 1)), RNG(0))
    assert found.basis == "seeds and examples"
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_seeds_that_do_not_matter_leave_the_normal() -> None:
    """Seeds that differ by next to nothing: the error is the bootstrap's over examples."""
    values, moved = np.array([0.2, 0.2 + 1e-9, 0.2 - 1e-9]), RNG(0).normal(0, 0.1, 20_000)
    found = difference(values, values + moved[:, None], RNG(1))
    assert found.error == pytest.approx(0.1, rel=0.02)
    assert found.p == pytest.approx(2 * stats.norm.sf(2), rel=0.06)
    assert found.freedom == math.inf


def test_the_noise_of_single_runs_is_counted_once() -> None:
    """Each seed has noise of its own on the examples and nothing else: s²/S says it all."""
    rng = RNG(0)
    values = rng.normal(0, 0.1, 5)
    found = difference(values, values + rng.normal(0, 0.1, (20_000, 5)), RNG(1))
    assert found.error == pytest.approx(values.std(ddof=1) / math.sqrt(5), rel=0.03)


def test_one_pair_rests_on_examples() -> None:
    drawn = RNG(0).normal(0.3, 0.1, (9_999, 1))
    found = difference(np.array([0.3]), drawn, RNG(1))
    assert found.basis == "examples"
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))
    assert found.p == pytest.approx(2 * (1 + (drawn <= 0).sum()) / 10_000)


def test_one_pair_and_no_examples_rest_on_nothing() -> None:
    found = difference(np.array([0.3]), None, RNG(0))
    assert (found.basis, found.p, found.interval, found.error) == ("nothing", None, None, None)


@pytest.mark.parametrize(("value", "p"), [(0.0, 1.0), (0.25, None)])
def test_equal_differences_give_no_spread(value: float, p: float | None) -> None:
    found = difference(np.full(3, value), None, RNG(0))
    assert (found.mean, found.interval, found.p) == (value, None, p)


def test_interval_and_p_agree() -> None:
    own = Reference(0.04, 0.03, 4)
    for level in (0.5, 0.9, 0.95, 0.99):
        assert own.p(own.reach(level)) == pytest.approx(1 - level, rel=1e-6)


def test_p_lies_between_its_two_sources() -> None:
    rng, own, mean = RNG(0), Reference(0.04, 0.03, 4), 0.6
    single = 2 * stats.t.sf(mean / math.sqrt(0.07), 4 * (0.07 / 0.04) ** 2)
    both = np.mean(np.abs(0.2 * rng.standard_t(4, 400_000) + math.sqrt(0.03) * rng.normal(size=400_000)) >= mean)
    assert single < both
    assert own.p(mean) == pytest.approx((single + both) / 2, rel=0.02)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 0.75, 0.9])
def test_its_size_with_five_seeds(share: float) -> None:
    """The variance of examples known, that of seeds estimated: 5 % of the means are beyond the interval."""
    rng = RNG(7)
    false = 0
    for _ in range(1_500):
        of_seeds = (1 - share) * rng.chisquare(4) / 4
        false += Reference(of_seeds, share, 4).p(rng.normal()) < 0.05
    assert 0.033 <= false / 1_500 <= 0.067
