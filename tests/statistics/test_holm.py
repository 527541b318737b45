from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalr_bench.statistics.holm import holm


def test_worked_by_hand() -> None:
    # sorted .005·4 = .02; .01·3 = .03; .03·2 = .06; .04·1 = .04 → never falling: .06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_at_most_one_and_ties() -> None:
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([0.02, 0.02]) == pytest.approx([0.04, 0.04])


def test_what_was_not_tested_does_not_count() -> None:
    assert holm([None, 0.03, None, 0.01]) == [None, 0.03, None, 0.02]
    assert holm([]) == []
    assert holm([None]) == [None]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.floats(0.001, 0.2))
def test_rejections_are_those_of_the_step_down_rule(values: list[float], level: float) -> None:
    """The rule as it is told: go up the p-values, reject while p ≤ level/(m-k+1), stop at the first that is not."""
    rejected: set[int] = set()
    for position, place in enumerate(sorted(range(len(values)), key=lambda i: values[i])):
        if values[place] * (len(values) - position) > level:
            break
        rejected.add(place)
    found = holm(values)
    ours = {place for place, p in enumerate(found) if p is not None and p <= level}
    # Equal p-values share their fate in the corrected form.
    assert {values[place] for place in rejected} == {values[place] for place in ours}
