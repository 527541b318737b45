"""Worked out by hand from result_samples.py: DALR − +CML is 1, 2 (third seed failed); +CML − baseline is 2, 1, 3."""

from __future__ import annotations

from dataclasses import replace

import pytest
from result_samples import PROTOCOL, records, scores, summary
from scipy import stats

from dalr_bench.errors import SuiteError
from dalr_bench.table.contributions import contributions
from dalr_bench.table.document import as_texts
from dalr_bench.table.model import Request, Table
from dalr_bench.table.render import FORMATS, render


def table(**request: object) -> Table:
    return contributions(summary(), records(), Request(spread="ci", **request))  # type: ignore[arg-type]


def test_a_group_for_each_point_and_kind() -> None:
    assert [(group.label, [row.name for row in group.rows]) for group in table().groups] == [
        ("teacher: one, left out of the whole", ["+IML"]),
        ("teacher: one, put in alone", ["+CML"]),
        ("teacher: two, left out of the whole", ["+IML"]),
        ("teacher: two, put in alone", ["+CML"]),
    ]


def test_differences_are_paired_by_seed() -> None:
    whole, alone = (group.rows[0] for group in table().groups[:2])
    assert (whole.cells["STS12"].mean, whole.cells["STS12"].n, whole.cells["STS12"].of) == (pytest.approx(1.5), 2, 3)
    assert (alone.cells["STS12"].mean, alone.cells["STS12"].std) == (pytest.approx(2), pytest.approx(1))
    assert (whole.n, whole.of) == (2, 3)


def test_the_interval_is_the_paired_ts() -> None:
    cell = as_texts(table())["groups"][1]["rows"][0]["cells"][0]
    low, high = stats.ttest_1samp([2, 1, 3], 0).confidence_interval(0.95)
    assert (cell["mean"], cell["std"]) == ("+2.00", f"{(high - low) / 2:.2f}")


def test_every_row_says_which_variants_it_is_from() -> None:
    found = table()
    assert dict(found.notes)[found.groups[0].rows[0].note] == "DALR − +CML"


def test_what_was_not_run_says_so() -> None:
    found = table()
    cell = found.groups[3].rows[0].cells["STS12"]
    assert (cell.mean, cell.n, cell.of) == (None, 0, 3)
    assert dict(found.notes)[cell.note] == "no seed is done with and without the component"


def test_nothing_is_best_and_every_format_prints_it() -> None:
    found = table()
    for name in set(FORMATS) - {"terminal"}:
        text = render(found, name)
        assert "best in bold" not in text
        assert "2.0" in text
    assert "half of a 95 % t-interval" in render(found, "markdown")


def test_a_suite_without_components_says_what_to_do() -> None:
    with pytest.raises(SuiteError, match="differ by one component"):
        contributions(replace(summary(), contributions=()), records(), Request())


def test_protocols_are_not_mixed() -> None:
    made = records()
    made["DALR-one-0"] = replace(made["DALR-one-0"], scores=scores(73, PROTOCOL.replace("=all", "=mean")))
    with pytest.raises(SuiteError, match="two protocols"):
        contributions(summary(), made, Request())
