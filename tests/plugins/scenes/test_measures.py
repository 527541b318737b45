from __future__ import annotations

import numpy as np
import pytest

from dalr_bench_plugins.scenes.measures import cosines, precedence, probe, spearman


def test_cosines_row_by_row() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(20, 5)).astype("f"), rng.normal(size=(20, 5)).astype("f")
    expected = [float(a @ b) / float(np.linalg.norm(a) * np.linalg.norm(b)) for a, b in zip(left, right, strict=True)]
    assert cosines(left, right) == pytest.approx(expected, abs=1e-6)
    left[3] = 0
    assert cosines(left, right)[3] == 0.0


def test_spearman_is_pearson_of_average_ranks() -> None:
    rng = np.random.default_rng(1)
    predicted, gold = rng.integers(0, 9, 60).astype(float), rng.integers(0, 5, 60).astype(float)

    def ranks(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
        return [float((values < value).sum() + ((values == value).sum() + 1) / 2) for value in values]

    assert spearman(predicted, gold) == pytest.approx(np.corrcoef(ranks(predicted), ranks(gold))[0, 1])
    assert spearman(gold, gold) == pytest.approx(1.0)
    assert spearman(-gold, gold) == pytest.approx(-1.0)


def test_a_constant_orders_nothing() -> None:
    assert spearman(np.ones(9), np.arange(9.0)) == 0.0


def test_precedence_counts_pairs() -> None:
    rng = np.random.default_rng(2)
    above, below = rng.integers(2, 8, 30).astype(float), rng.integers(0, 6, 40).astype(float)
    wins = sum((a > b) + (a == b) / 2 for a in above for b in below)
    assert precedence(above, below) == pytest.approx(wins / 1200)
    assert precedence(np.ones(3), np.zeros(3)) == 1.0


def test_a_probe_learns_what_is_linear_and_ignores_scale() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 300)
    rows = np.eye(3)[labels] + 0.1 * rng.normal(size=(300, 3))
    rows = np.concatenate([rows, np.full((300, 1), 7.0)], axis=1)  # a constant column
    found = probe(rows[:200], labels[:200], rows[200:], 10.0)
    assert (found == labels[200:]).all()
    scaled = rows * np.array([1e-3, 1e3, 1.0, 1.0])
    assert (probe(scaled[:200], labels[:200], scaled[200:], 10.0) == found).all()
