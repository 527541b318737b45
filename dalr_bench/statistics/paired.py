"""The difference between two rows on one task, with an interval and a p that hold for new seeds and new examples.

Legend: R draws, S pairs of seeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dalr_bench.statistics.seeds import Interval

Floats = NDArray[np.float64]
_POINTS = 2_000
_LIKELY_P = (np.arange(_POINTS) + 0.5) / _POINTS
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
    Vs has already. The mean is then judged by `Reference`. Several seeds alone: the paired t. One pair alone: the
    percentiles of the draws.
    """
    if drawn_RS is None:
        return _of_seeds(seen_S, level)
    if len(seen_S) == 1:
        return _of_examples(float(seen_S[0]), drawn_RS[:, 0], level)
    own = Reference(float(seen_S.var(ddof=1)) / len(seen_S), _of_shared_examples(drawn_RS), len(seen_S) - 1)
    wide = _percentiles(hierarchical(drawn_RS, rng), level)
    return _judged(float(seen_S.mean()), own, level, "seeds and examples", wide)


@dataclass(frozen=True)
class Reference:
    """How far a mean of 0 strays: `of_seeds` is a variance known with `freedom` degrees, `of_examples` one known well.

    There is no exact answer for such a sum (Behrens and Fisher's problem). Two are near: t of mean/√V with
    Satterthwaite's degrees, freedom·(V/Vs)², which errs to small p, and √Vs·t + √Ve·z with both parts drawn, which errs
    to large p. p is their mean; with one variance 0 both are the same and exact (docs/statistics.md has the rates).
    """

    of_seeds: float
    of_examples: float
    freedom: int

    @property
    def error(self) -> float:
        """√V."""
        return math.sqrt(self.of_seeds + self.of_examples)

    @property
    def degrees(self) -> float:
        """Satterthwaite's."""
        share = self.of_seeds / (self.of_seeds + self.of_examples)
        return self.freedom / share**2 if share > 1e-4 else math.inf

    def p(self, mean: float) -> float:
        """Two-sided."""
        from scipy.special import ndtr, stdtr

        single = float(stdtr(min(self.degrees, 1e9), -abs(mean) / self.error))
        if self.of_examples == 0:
            return 2 * single
        both = float(ndtr(-abs(mean) / self._errors_P).mean())
        return single + both

    def reach(self, level: float) -> float:
        """The mean whose p is 1 - level: half an interval."""
        from scipy.optimize import brentq

        far = float(self._errors_P.max()) * 10
        return float(brentq(lambda mean: self.p(mean) - (1 - level), 0.0, far, xtol=1e-12 * far, rtol=1e-10))

    @cached_property
    def _errors_P(self) -> Floats:
        """√(Vs·f/χ² + Ve) at equally likely points of χ²: given χ², t is normal."""
        from scipy.special import gammaincinv

        half = self.freedom / 2
        errors_P: Floats = np.sqrt(self.of_seeds * half / gammaincinv(half, _LIKELY_P) + self.of_examples)
        return errors_P


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
    return _judged(mean, Reference(float(seen_S.var(ddof=1)) / n, 0.0, n - 1), level, "seeds", None)


def _of_examples(seen: float, drawn_R: Floats, level: float) -> Difference:
    """One pair of runs: the draws' percentiles, and twice the smaller share of draws beyond 0 (the seen one counts)."""
    beyond = min(int((drawn_R <= 0).sum()), int((drawn_R >= 0).sum()))
    p = min(1.0, 2 * (beyond + 1) / (len(drawn_R) + 1))
    wide = _percentiles(drawn_R, level)
    return Difference(seen, float(drawn_R.std()), None, wide, p, "examples", wide)


def _judged(mean: float, own: Reference, level: float, basis: Basis, wide: Interval | None) -> Difference:
    if own.error <= 1e-12 * abs(mean) or own.error == 0:
        # Every pair differs by the same: there is no spread to judge by.
        return Difference(mean, 0.0, None, None, 1.0 if mean == 0 else None, basis, wide)
    reach = own.reach(level)
    return Difference(mean, own.error, own.degrees, Interval(mean - reach, mean + reach), own.p(mean), basis, wide)


def _percentiles(values_R: Floats, level: float) -> Interval:
    low, high = np.quantile(values_R, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
