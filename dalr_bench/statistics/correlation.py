"""Spearman's rank correlation, and how much each example moves it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def spearman(left_N: NDArray[Any], right_N: NDArray[Any]) -> float:
    """Pearson of average ranks; 0 where one side is constant, which orders nothing."""
    left_N, right_N = _grades(left_N), _grades(right_N)
    scale = float(np.sqrt((left_N @ left_N) * (right_N @ right_N)))
    return float(left_N @ right_N) / scale if scale > 0 else 0.0


def influence(left_N: NDArray[Any], right_N: NDArray[Any]) -> Floats:
    """The derivative of Spearman's ρ by each example's weight, N·∂ρ/∂w_i, [N]; it sums to 0.

    With u, v the centred grades (midrank/N - ½), ρ = A/√(BC), A = E[uv], B = E[u²], C = E[v²]. An example moves A by
    its own product and by what it adds to the grades of all above it: dA = uv + E[u h(y)] + E[v h(x)] - 3A, where h is
    1 above the example, ½ at ties, 0 below; dB = u² + 2 E[u h(x)] - 3B, dC alike; dρ = dA/√(BC) - ρ/2 (dB/B + dC/C).
    """
    u_N, v_N = _grades(left_N), _grades(right_N)
    a, b, c = (float(np.mean(product)) for product in (u_N * v_N, u_N * u_N, v_N * v_N))
    if b * c <= 0:
        return np.zeros(len(u_N))
    da_N = u_N * v_N + _above(right_N, u_N) + _above(left_N, v_N) - 3 * a
    db_N = u_N**2 + 2 * _above(left_N, u_N) - 3 * b
    dc_N = v_N**2 + 2 * _above(right_N, v_N) - 3 * c
    root = np.sqrt(b * c)
    moved_N: Floats = da_N / root - a / root / 2 * (db_N / b + dc_N / c)
    return moved_N


def _grades(values_N: NDArray[Any]) -> Floats:
    """Centred midranks by N: (midrank - ½)/N - ½, whose mean is 0."""
    _, level_N, counts_K = np.unique(values_N, return_inverse=True, return_counts=True)
    middle_K = np.cumsum(counts_K) - counts_K / 2
    grades_N: Floats = middle_K[level_N] / len(level_N) - 0.5
    return grades_N


def _above(values_N: NDArray[Any], weights_N: Floats) -> Floats:
    """For each example, the sum of the weights of those whose value is above its own, ties by half, over N."""
    _, level_N = np.unique(values_N, return_inverse=True)
    sums_K = np.bincount(level_N, weights=weights_N)
    above_K = sums_K.sum() - np.cumsum(sums_K) + sums_K / 2
    out_N: Floats = above_K[level_N] / len(level_N)
    return out_N
