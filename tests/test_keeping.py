from __future__ import annotations

import os

import pytest

from dalr_bench.errors import SuiteError
from dalr_bench.keeping import EVERY, RETAIN, Keeping, told_to_workers


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("500steps", Keeping(steps=500)),
        ("1step", Keeping(steps=1)),
        ("90s", Keeping(seconds=90)),
        ("10min", Keeping(seconds=600)),
        ("0.5 h", Keeping(seconds=1800)),
        ("never", Keeping()),
    ],
)
def test_how_often(text: str, found: Keeping) -> None:
    assert Keeping.of(text, "best") == found
    assert Keeping.from_environment({EVERY: text, RETAIN: "last"}).retain == "last"


@pytest.mark.parametrize("text", ["", "10", "ten min", "0s", "0steps", "1.5steps", "-1min", "5 days", "nan s", "1e3s"])
def test_what_is_not_understood_is_told(text: str) -> None:
    with pytest.raises(SuiteError, match=r"expected e\.g\. 500steps, 90s, 10min, 2h or never"):
        Keeping.of(text, "best")
    with pytest.raises(SuiteError, match="--retain all: expected one of best, last, none"):
        Keeping.of("never", "all")


def test_workers_are_told_and_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(EVERY, raising=False)
    monkeypatch.setenv(RETAIN, "none")
    assert Keeping.from_environment() == Keeping(seconds=600, retain="none")
    with told_to_workers("3steps", None):
        assert os.environ[EVERY] == "3steps"
        assert Keeping.from_environment() == Keeping(steps=3, retain="none")
    assert EVERY not in os.environ
    with pytest.raises(SuiteError), told_to_workers("often", "best"):
        pytest.fail("nothing may start")
    assert (EVERY in os.environ, os.environ[RETAIN]) == (False, "none")
