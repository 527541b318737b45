"""The few numbers a cell shows."""

from __future__ import annotations

import math
from collections.abc import Sequence


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean of one or more values."""
    return math.fsum(values) / len(values)


def std(values: Sequence[float]) -> float | None:
    """Sample standard deviation, √(Σ(x-x̄)²/(n-1)); None for a single value, which says nothing about spread."""
    if len(values) < 2:
        return None
    centre = mean(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1))


def rank(values: Sequence[float | None], lower_is_better: bool) -> tuple[frozenset[int], frozenset[int]]:
    """Positions of the best and of the second-best values; equal ones share. One value alone is best of nothing."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return frozenset(), frozenset()
    order = sorted(set(known), reverse=not lower_is_better)
    best = frozenset(i for i, value in enumerate(values) if value == order[0])
    second = frozenset(i for i, value in enumerate(values) if len(order) > 1 and value == order[1])
    return best, second
