"""What a component is worth: the mean of paired differences, with its interval over seeds."""

from __future__ import annotations

import math
from functools import lru_cache

from dalr_bench.table.model import Delta

LEVEL = 0.95


def interval(delta: Delta, level: float = LEVEL) -> tuple[float, float] | None:
    """mean ± t(level, n-1)·std/√n: Student's interval of a mean of n paired differences.

    None for fewer than two pairs, which say nothing about spread. It covers the seeds of this suite's kind of run, not
    the choice of test examples. Source: Student, The Probable Error of a Mean (1908).
    """
    if delta.std is None or delta.n < 2:
        return None
    half = quantile(level, delta.n - 1) * delta.std / math.sqrt(delta.n)
    return delta.mean - half, delta.mean + half


@lru_cache(maxsize=256)
def quantile(level: float, freedom: int) -> float:
    """The t that holds `level` of Student's distribution between -t and t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))
