"""Bootstrap over examples: one draw of examples scores every run, so that differences stay paired.

Legend: R draws, N examples, M runs, K distinct gold values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dalr_bench.statistics.correlation import influence, spearman

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Rows = NDArray[np.intp]
# Up to so many examples every draw is ranked anew. Beyond, ranking would take minutes and the first order is as good
# (docs/statistics.md has how good).
EXACT_UP_TO = 500
# Counts made at once: what stays in a core's cache.
_BLOCK = 2**17


def spearman_draws(predicted_MN: NDArray[Any], gold_N: NDArray[Any], draws: int, rng: np.random.Generator) -> Floats:
    """Spearman of each run on each draw of the examples, [R, M].

    Exact up to EXACT_UP_TO examples; beyond, its first order, ρ + mean of the drawn examples' influence on ρ.
    """
    if len(gold_N) <= EXACT_UP_TO:
        return exact_spearman_draws(predicted_MN, gold_N, draws, rng)
    rho_M = np.array([spearman(row_N, gold_N) for row_N in predicted_MN])
    return rho_M + mean_draws(np.stack([influence(row_N, gold_N) for row_N in predicted_MN]), draws, rng)


def accuracy_draws(predicted_MN: NDArray[Any], gold_N: NDArray[Any], draws: int, rng: np.random.Generator) -> Floats:
    """Share of right predictions of each run on each draw of the examples, [R, M]. Exact."""
    return mean_draws((predicted_MN == gold_N).astype(np.float64), draws, rng)


def mean_draws(values_MN: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Mean of the drawn examples' values, [R, M]."""
    values_NM = np.ascontiguousarray(values_MN.T)
    return np.concatenate([times @ values_NM for times in counts(len(values_NM), draws, rng)]) / len(values_NM)


def exact_spearman_draws(
    predicted_MN: NDArray[Any], gold_N: NDArray[Any], draws: int, rng: np.random.Generator
) -> Floats:
    """Spearman of each run on each draw, [R, M], ties and all; 0 where a draw leaves one side constant.

    A draw is how often each example came (c_i), and an example's midrank in it is the number of drawn values below its
    own plus half of (those equal + 1). Walking the examples in the order of the prediction and adding up c gives those
    ranks for all draws at once; the gold's ranks are shared by all runs.
    """
    count_NR = np.concatenate(list(counts(len(gold_N), draws, rng))).T.copy()
    gold_NR, squares_R = _gold_ranks(count_NR, gold_N)
    return np.stack([_spearman(count_NR, count_NR * gold_NR, squares_R, row_N) for row_N in predicted_MN], axis=1)


def counts(size: int, draws: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each example came in each draw of as many with replacement: blocks of [R, N]."""
    block = max(1, _BLOCK // size)
    for start in range(0, draws, block):
        here = min(block, draws - start)
        drawn = rng.integers(0, size, (here, size), dtype=np.uint32) + size * np.arange(here)[:, None]
        yield np.bincount(drawn.ravel(), minlength=here * size).reshape(here, size).astype(np.float64)


def _gold_ranks(count_NR: Floats, gold_N: NDArray[Any]) -> tuple[Floats, Floats]:
    """Centred midranks of the gold in each draw, [N, R], and the sum of their squares over the drawn, [R]."""
    _, level_N = np.unique(gold_N, return_inverse=True)
    counts_KR = np.zeros((int(level_N.max()) + 1, count_NR.shape[1]))
    for level, count_R in zip(level_N, count_NR, strict=True):
        counts_KR[level] += count_R
    ranks_KR = np.cumsum(counts_KR, axis=0) - counts_KR / 2 - len(gold_N) / 2
    return ranks_KR[level_N], _squares(len(gold_N), (counts_KR**3).sum(axis=0))


def _squares(size: int, cubes_R: Floats) -> Floats:
    """Sum of squared centred midranks, (N³ - Σt³)/12 over ties of t."""
    return (float(size) ** 3 - cubes_R) / 12


def _spearman(count_NR: Floats, weighted_NR: Floats, squares_R: Floats, predicted_N: NDArray[Any]) -> Floats:
    size, draws = count_NR.shape
    product_R, cubes_R, below_R = np.zeros((3, draws))
    for rows in _ties(predicted_N):
        equal_R = count_NR[rows].sum(axis=0)
        product_R += weighted_NR[rows].sum(axis=0) * (below_R + equal_R / 2 - size / 2)
        cubes_R += equal_R**3
        below_R += equal_R
    both_R = squares_R * _squares(size, cubes_R)
    return np.divide(product_R, np.sqrt(both_R), out=np.zeros(draws), where=both_R > 0)


def _ties(values_N: NDArray[Any]) -> list[Rows]:
    """Rows of equal value together, in ascending order of the value."""
    order_N = np.argsort(values_N, kind="stable")
    sorted_N = values_N[order_N]
    return np.split(order_N, np.flatnonzero(sorted_N[1:] != sorted_N[:-1]) + 1)
