"""The difference between two rows on one task, with an interval and a p that hold for new seeds and new examples.

Legend: R draws, S pairs of seeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dalr_bench.statistics.seeds import Interval

Floats = NDArray[np.float64]
Basis = Literal["seeds and examples", "examples", "seeds", "nothing"]


@dataclass(frozen=True, slots=True)
class Difference:
    """`mean` of the paired differences, its standard error with degrees of freedom, interval and two-sided p (None
    where nothing can be said), and what they rest on. `bootstrap` is the plain percentile interval of the draws."""

    mean: float
    error: float | None
    freedom: float | None
    interval: Interval | None
    p: float | None
    basis: Basis
    bootstrap: Interval | None = None


def difference(seen_S: Floats, drawn_RS: Floats | None, rng: np.random.Generator, level: float = 0.95) -> Difference:
    """From the differences of the runs (`seen_S`) and the same on draws of the examples (`drawn_RS`), if there are any.

    Several seeds and examples: both are random and crossed, as readers and cases are where diagnoses are compared. The
    variance of the mean is  V = Vs + max(Ve - Vse, 0):  Vs = s²(seen)/S, which holds seeds and their noise on the
    examples; Ve the variance over draws of the mean over seeds; Vse the part of Ve that is the seeds' own noise, which
    Vs has already. Then mean/√V against t with (S-1)·(V/Vs)² degrees of freedom: S-1 where seeds decide, many where
    examples do. Several seeds alone: the paired t. One pair alone: the percentiles of the draws.
    """
    if drawn_RS is None:
        return _of_seeds(seen_S, level)
    if len(seen_S) == 1:
        return _of_examples(float(seen_S[0]), drawn_RS[:, 0], level)
    of_seeds = float(seen_S.var(ddof=1)) / len(seen_S)
    of_both = of_seeds + _of_shared_examples(drawn_RS)
    freedom = (len(seen_S) - 1) * (of_both / of_seeds) ** 2 if of_seeds > 0 else math.inf
    wide = _percentiles(hierarchical(drawn_RS, rng), level)
    return _studentised(float(seen_S.mean()), of_both, freedom, level, "seeds and examples", wide)


def hierarchical(drawn_RS: Floats, rng: np.random.Generator) -> Floats:
    """The hierarchical bootstrap, [R]: on every draw of the examples, the mean over seeds drawn with replacement.

    It is the textbook's; with few seeds its percentiles are too narrow (docs/statistics.md), which is why `difference`
    takes its interval from the variances instead.
    """
    draws, seeds = drawn_RS.shape
    weights_RS = rng.multinomial(seeds, np.full(seeds, 1 / seeds), draws) / seeds
    mean_R: Floats = (drawn_RS * weights_RS).sum(axis=1)
    return mean_R


def _of_shared_examples(drawn_RS: Floats) -> float:
    mean_R = drawn_RS.mean(axis=1)
    own = float((drawn_RS - mean_R[:, None]).var(axis=0).mean()) / (drawn_RS.shape[1] - 1)
    shared = float(mean_R.var()) - own
    return shared if shared > 0 else 0.0


def _of_seeds(seen_S: Floats, level: float) -> Difference:
    mean, n = float(seen_S.mean()), len(seen_S)
    if n < 2:
        return Difference(mean, None, None, None, None, "nothing")
    return _studentised(mean, float(seen_S.var(ddof=1)) / n, n - 1.0, level, "seeds", None)


def _of_examples(seen: float, drawn_R: Floats, level: float) -> Difference:
    """One pair of runs: the draws' percentiles, and twice the smaller share of draws beyond 0 (the seen one counts)."""
    beyond = min(int((drawn_R <= 0).sum()), int((drawn_R >= 0).sum()))
    p = min(1.0, 2 * (beyond + 1) / (len(drawn_R) + 1))
    wide = _percentiles(drawn_R, level)
    return Difference(seen, float(drawn_R.std()), None, wide, p, "examples", wide)


def _studentised(
    mean: float, variance: float, freedom: float, level: float, basis: Basis, wide: Interval | None
) -> Difference:
    from scipy.special import stdtr, stdtrit

    error = math.sqrt(variance)
    if error <= 1e-12 * abs(mean) or error == 0:
        # Every pair differs by the same: there is no spread to judge by.
        return Difference(mean, 0.0, freedom, None, 1.0 if mean == 0 else None, basis, wide)
    finite = min(freedom, 1e9)
    reach = float(stdtrit(finite, (1 + level) / 2)) * error
    p = 2 * float(stdtr(finite, -abs(mean) / error))
    return Difference(mean, error, freedom, Interval(mean - reach, mean + reach), p, basis, wide)


def _percentiles(values_R: Floats, level: float) -> Interval:
    low, high = np.quantile(values_R, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
