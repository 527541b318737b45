from __future__ import annotations

import math

import pytest

from dalr_bench.report.effects import interval, quantile
from dalr_bench.table.model import Delta


@pytest.mark.parametrize(("freedom", "printed"), [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (29, 2.045)])
def test_quantiles_are_those_of_every_textbook(freedom: int, printed: float) -> None:
    assert quantile(0.95, freedom) == pytest.approx(printed, abs=5e-4)


def test_two_pairs_by_hand() -> None:
    """Differences 1 and 3: mean 2, std √2, so the half width is 12.7062·√2/√2."""
    low, high = interval(Delta(2.0, math.sqrt(2), 2)) or (0, 0)
    assert (low, high) == pytest.approx((2 - 12.7062, 2 + 12.7062), abs=1e-4)


def test_one_pair_has_no_interval() -> None:
    assert interval(Delta(2.0, None, 1)) is None


def test_another_level() -> None:
    low, high = interval(Delta(0.0, 1.0, 4), level=0.5) or (0, 0)
    assert high == pytest.approx(0.764892 / 2, abs=1e-5)
    assert low == -high


def test_ninety_five_of_a_hundred_intervals_hold_the_truth() -> None:
    import numpy as np

    random = np.random.default_rng(7)
    draws = random.normal(1.0, 2.0, (4000, 5))
    found = [interval(Delta(float(d.mean()), float(d.std(ddof=1)), 5)) or (9, 9) for d in draws]
    assert 0.94 < sum(low <= 1.0 <= high for low, high in found) / len(found) < 0.96
