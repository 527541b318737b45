"""The few numbers a cell shows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dalr_bench.table.model import Spread


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean of one or more values."""
    return math.fsum(values) / len(values)


def std(values: Sequence[float]) -> float | None:
    """Sample standard deviation, √(Σ(x-x̄)²/(n-1)); None for a single value, which says nothing about spread."""
    if len(values) < 2:
        return None
    centre = mean(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1))


def spread(deviation: float | None, n: int, kind: Spread) -> float | None:
    """What follows ±: the sample deviation, the standard error s/√n, or half a 95 % t-interval, t_{n-1}·s/√n."""
    if deviation is None or kind == "std":
        return deviation
    if n < 2:
        return None
    if kind == "sem":
        return deviation / math.sqrt(n)
    # scipy is heavy, and a table without intervals does without it.
    from dalr_bench.statistics.seeds import half_width

    return half_width(deviation, n)


def rank(values: Sequence[float | None], lower_is_better: bool) -> tuple[frozenset[int], frozenset[int]]:
    """Positions of the best and of the second-best values; equal ones share. One value alone is best of nothing."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return frozenset(), frozenset()
    best = top(values, lower_is_better)
    return best, top([None if i in best else value for i, value in enumerate(values)], lower_is_better)


def top(values: Sequence[float | None], lower_is_better: bool) -> frozenset[int]:
    """Positions of the best value; none where there is no value."""
    known = [value for value in values if value is not None]
    if not known:
        return frozenset()
    best = min(known) if lower_is_better else max(known)
    return frozenset(i for i, value in enumerate(values) if value == best)
