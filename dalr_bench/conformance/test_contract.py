"""The kit for authors who test with pytest: `DALR_BENCH_CHECK=NAME,... pytest --pyargs dalr_bench.conformance`.

Without the variable every plugin that is not dalr-bench's own is checked. One test a plugin and a component.
"""

from __future__ import annotations

import os

import pytest

from dalr_bench.conformance.kit import Verdict, check

VARIABLE = "DALR_BENCH_CHECK"


def _verdicts() -> list[Verdict]:
    names = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
    return check(names)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each verdict. The checks run here: what there is to test is known only after them."""
    found = _verdicts()
    metafunc.parametrize("verdict", found, ids=[verdict.subject for verdict in found])


def test_it_keeps_the_contract(verdict: Verdict) -> None:
    told = [f"{item.contract}: {item.what} [input: {item.input}]" for item in verdict.broken]
    assert not told, "\n".join([verdict.subject, *told])
    assert any(item.state == "kept" for item in verdict.findings), "nothing could be checked"
