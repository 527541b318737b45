"""Draws are replayed one by one with scipy; nothing of the fast way is believed."""

from __future__ import annotations

import time
from itertools import product

import numpy as np
import pytest
from scipy.stats import spearmanr

from dalr_bench.statistics import resample
from dalr_bench.statistics.resample import accuracy_draws, counts, exact_spearman_draws, mean_draws, spearman_draws


def world(size: int, noise: float, runs: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Gold with ties, as annotators give it, and runs: one of them with ties too."""
    rng = np.random.default_rng(seed)
    gold = np.round(rng.random(size) * 5, 1)
    predicted = gold + noise * rng.normal(size=(runs, size))
    predicted[-1] = np.round(predicted[-1])
    return predicted, gold


def replayed(size: int, draws: int, seed: int) -> list[np.ndarray]:
    """The examples of each draw, repeated as often as they came."""
    times = np.concatenate(list(counts(size, draws, np.random.default_rng(seed)))).astype(int)
    return [np.repeat(np.arange(size), row) for row in times]


def test_a_draw_is_as_many_examples_with_replacement() -> None:
    times = np.concatenate(list(counts(7, 30_000, np.random.default_rng(0))))
    assert times.shape == (30_000, 7)
    assert (times.sum(axis=1) == 7).all()
    assert times.mean(axis=0) == pytest.approx(1, abs=0.03)
    assert times.var(axis=0) == pytest.approx(6 / 7, abs=0.03)  # binomial(7, 1/7)


@pytest.mark.parametrize("size", [20, 300])
def test_ranked_anew_each_draw_is_scipys_spearman(size: int) -> None:
    predicted, gold = world(size, 1.0)
    found = exact_spearman_draws(predicted, gold, 40, np.random.default_rng(3))
    seen = 0
    for draw, rows in enumerate(replayed(size, 40, 3)):
        for run in range(3):
            assert found[draw, run] == pytest.approx(spearmanr(predicted[run, rows], gold[rows])[0], abs=1e-12)
            seen += 1
    assert seen == 120


def test_small_sets_are_exact_and_large_ones_first_order(monkeypatch: pytest.MonkeyPatch) -> None:
    predicted, gold = world(100, 1.0)
    exact = exact_spearman_draws(predicted, gold, 50, np.random.default_rng(1))
    assert (spearman_draws(predicted, gold, 50, np.random.default_rng(1)) == exact).all()
    monkeypatch.setattr(resample, "EXACT_UP_TO", 99)
    near = spearman_draws(predicted, gold, 50, np.random.default_rng(1))
    assert not (near == exact).all()


@pytest.mark.parametrize("noise", [0.5, 1.0, 3.0])
def test_the_first_order_has_the_spread_of_the_exact(noise: float) -> None:
    """At the smallest size it is used for: the error of a difference of two runs within 3 %, draw by draw alike."""
    predicted, gold = world(resample.EXACT_UP_TO + 1, noise)
    exact = exact_spearman_draws(predicted, gold, 1500, np.random.default_rng(1))
    near = spearman_draws(predicted, gold, 1500, np.random.default_rng(1))
    gaps = [draws[:, 0] - draws[:, 1] for draws in (exact, near)]
    assert gaps[1].std() == pytest.approx(gaps[0].std(), rel=0.03)
    assert np.corrcoef(*gaps)[0, 1] > 0.97
    assert abs(gaps[1].mean() - gaps[0].mean()) < 0.1 * gaps[0].std()


def test_a_draw_without_spread_scores_zero() -> None:
    found = exact_spearman_draws(np.ones((1, 5)), np.arange(5), 10, np.random.default_rng(0))
    assert (found == 0).all()


def test_accuracy_by_replaying() -> None:
    rng = np.random.default_rng(5)
    gold, predicted = rng.integers(0, 3, 60), rng.integers(0, 3, (4, 60))
    found = accuracy_draws(predicted, gold, 30, np.random.default_rng(2))
    for draw, rows in enumerate(replayed(60, 30, 2)):
        expected = (predicted[:, rows] == gold[rows]).mean(axis=1)
        assert found[draw] == pytest.approx(expected, abs=1e-12)


def test_every_draw_of_three_is_as_likely_as_it_should_be() -> None:
    """All 27 draws of three examples, enumerated."""
    values = np.array([0.0, 1.0, 10.0])
    seen = mean_draws(values[None, :], 60_000, np.random.default_rng(0))[:, 0]
    expected = [np.mean([values[i] for i in rows]) for rows in product(range(3), repeat=3)]
    for value in set(expected):
        share = np.mean(np.isclose(seen, value))
        assert share == pytest.approx(expected.count(value) / 27, abs=0.01)


def test_the_same_seed_draws_the_same() -> None:
    predicted, gold = world(50, 1.0)
    first, second = (spearman_draws(predicted, gold, 20, np.random.default_rng(4)) for _ in range(2))
    assert (first == second).all()


def test_seven_sets_in_time() -> None:
    """Two rows of five seeds over sets as large as the field's, 10,000 draws (the whole command: tests/cli)."""
    started = time.process_time()
    for size in (3108, 1500, 3750, 3000, 1186, 1379, 4927):
        predicted, gold = world(size, 2.0, runs=10)
        assert spearman_draws(predicted, gold, 10_000, np.random.default_rng(0)).shape == (10_000, 10)
    assert time.process_time() - started < 5
