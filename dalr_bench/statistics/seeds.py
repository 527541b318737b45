"""What seeds alone say: t-interval, exact sign flips, effect size, probability of improvement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

# Up to 2^16 sign patterns are counted, beyond so many are drawn.
_COUNTED = 16
_POINTS = 4_000


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SignFlips:
    """p of the sign-flip test over paired seeds: `greater` is one-sided (the mean is above 0), `two_sided` either way.

    With n pairs no p can be below its floor, 1/2^n one-sided and 2/2^n two-sided: five seeds never give less than
    1/32 and 1/16. `exact` is False where the patterns were too many to count and were drawn.
    """

    two_sided: float
    greater: float
    floor_two_sided: float
    floor_greater: float
    exact: bool


@dataclass(frozen=True, slots=True)
class Effect:
    """Mean difference in units of its own deviation over seeds (Cohen's d of pairs), and its interval."""

    size: float
    interval: Interval


def half_width(deviation: float, n: int, level: float = 0.95) -> float:
    """t_{n-1} · s/√n: what a t-interval of n ≥ 2 values with sample deviation s adds on either side."""
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, (1 + level) / 2)) * deviation / math.sqrt(n)


def sign_flips(differences: Sequence[float], draws: int = 10_000, seed: int = 0) -> SignFlips:
    """Exact test that paired differences are symmetric about 0: every pattern of signs is as likely as the one seen."""
    values_S = np.asarray(differences, np.float64)
    n = len(values_S)
    exact = n <= _COUNTED
    if exact:
        signs_PS = np.array(list(product((1.0, -1.0), repeat=n)))
    else:
        # The pattern that was seen counts as one of those drawn, which keeps the test's size.
        signs_PS = np.random.default_rng(seed).choice((1.0, -1.0), (draws, n))
        signs_PS[0] = 1.0
    sums_P = signs_PS @ values_S
    seen, slack = float(values_S.sum()), 1e-12 * float(np.abs(values_S).sum())
    two, one = np.mean(np.abs(sums_P) >= abs(seen) - slack), np.mean(sums_P >= seen - slack)
    floor = 1 / len(signs_PS)
    return SignFlips(float(two), float(one), min(1.0, 2 * floor) if exact else floor, floor, exact)


def effect(differences: Sequence[float], level: float = 0.95) -> Effect | None:
    """d = mean/s with the interval that the noncentral t distribution gives; None for fewer than two or no spread.

    With t = d·√n the interval holds the shifts δ/√n for which t is in neither tail: P(T ≤ t) = E Φ(t·χ/√(n-1) - δ), the
    mean over χ taken at equally likely points (scipy's function of that distribution gives NaN far out).
    """
    from scipy.optimize import brentq
    from scipy.special import gammaincinv, ndtr

    values_S = np.asarray(differences, np.float64)
    n, deviation = len(values_S), float(values_S.std(ddof=1)) if len(values_S) > 1 else 0.0
    if deviation <= 1e-12 * float(np.abs(values_S).max(initial=0.0)):
        return None
    size, root = float(values_S.mean()) / deviation, math.sqrt(n)
    half = (n - 1) / 2
    at_P = size * root * np.sqrt(gammaincinv(half, (np.arange(_POINTS) + 0.5) / _POINTS) / half)
    reach = float(np.abs(at_P).max()) + 10
    low, high = (
        brentq(lambda shift, tail=tail: float(ndtr(at_P - shift).mean()) - tail, -reach, reach) / root
        for tail in ((1 + level) / 2, (1 - level) / 2)
    )
    return Effect(size, Interval(low, high))


def improvement(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Share of pairs (a run of ours, a run of theirs, whatever their seeds) in which ours is higher; a tie is half."""
    ours_S, theirs_T = np.asarray(ours), np.asarray(theirs)
    gap_ST = ours_S[:, None] - theirs_T[None, :]
    return float(np.mean((gap_ST > 0) + 0.5 * (gap_ST == 0)))
