from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from dalr_bench.statistics.correlation import influence, spearman


def values(seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    left = rng.normal(size=80)
    right = left + rng.normal(size=80)
    return (np.round(left), np.round(right * 2)) if ties else (left, right)


@pytest.mark.parametrize("ties", [False, True])
def test_it_is_scipys(ties: bool) -> None:
    left, right = values(0, ties)
    assert spearman(left, right) == pytest.approx(spearmanr(left, right)[0], abs=1e-12)


def test_a_constant_orders_nothing() -> None:
    assert spearman(np.ones(9), np.arange(9)) == 0
    assert (influence(np.ones(9), np.arange(9)) == 0).all()


def test_a_hand_made_case() -> None:
    assert spearman(np.array([1, 2, 3, 4]), np.array([1, 3, 2, 4])) == pytest.approx(0.8)  # 1 - 6·2/(4·15)


@pytest.mark.parametrize("ties", [False, True])
def test_influence_is_the_derivative_by_weight(ties: bool) -> None:
    """One example more of a hundred copies of all moves ρ by influence / (100·N + 1), up to second order."""
    left, right = values(1, ties)
    times, found, seen = 100, influence(left, right), 0
    many = np.tile(np.arange(80), times)
    for i in range(0, 80, 4):
        rows = np.append(many, i)
        moved = spearmanr(left[rows], right[rows])[0] - spearmanr(left, right)[0]
        assert moved * (len(rows)) == pytest.approx(found[i], abs=0.01)
        seen += 1
    assert seen == 20


@pytest.mark.parametrize("ties", [False, True])
def test_influences_sum_to_nothing(ties: bool) -> None:
    assert influence(*values(2, ties)).sum() == pytest.approx(0, abs=1e-10)
