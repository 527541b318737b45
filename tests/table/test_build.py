"""Every number here was worked out by hand from the values in result_samples.py."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from result_samples import PROTOCOL, records, scores, summary

from dalr_bench.errors import SuiteError
from dalr_bench.record.record import Record
from dalr_bench.record.summary import Place, Summary
from dalr_bench.table.build import build
from dalr_bench.table.model import Cell, Reported, Request, Row, Table
from dalr_bench.types import Score


def table(**request: object) -> Table:
    return build(summary(), records(), Request(**request))  # type: ignore[arg-type]


def row(found: Table, group: str, name: str) -> Row:
    return next(r for g in found.groups if g.label == group for r in g.rows if r.name == name)


def cell(found: Table, group: str, name: str, column: str = "STS12") -> Cell:
    return row(found, group, name).cells[column]


def test_rows_and_groups_stand_in_the_order_of_the_suite() -> None:
    found = table()
    names = [(group.label, [row.name for row in group.rows]) for group in found.groups]
    rows = ["floor", "baseline", "+CML", "DALR"]
    assert names == [("teacher: one", rows), ("teacher: two", rows), ("reported", ["DALR"])]


def test_mean_and_sample_deviation_over_seeds() -> None:
    found = table()
    assert cell(found, "teacher: one", "baseline").mean == pytest.approx(71)
    assert cell(found, "teacher: one", "baseline").std == pytest.approx(1)
    assert cell(found, "teacher: one", "+CML").mean == pytest.approx(73)
    assert cell(found, "teacher: one", "+CML").std == pytest.approx(math.sqrt(3))
    assert cell(found, "teacher: one", "+CML", "Avg").mean == pytest.approx(73.5)


def test_a_failed_seed_is_counted_and_says_why() -> None:
    found = table()
    ours = cell(found, "teacher: one", "DALR")
    assert (ours.mean, ours.n, ours.of) == (pytest.approx(73.5), 2, 3)
    assert ours.std == pytest.approx(math.sqrt(0.5))
    assert dict(found.notes)[ours.note] == "failed: the loss is NaN (seed 2)"


def test_a_row_that_was_not_run_says_so() -> None:
    found = table()
    missing = cell(found, "teacher: two", "+CML")
    assert (missing.mean, missing.std, missing.n, missing.of) == (None, None, 0, 3)
    assert dict(found.notes)[missing.note] == "not run (seeds 0, 1, 2)"
    assert not missing.best
    assert not missing.second


def test_cells_of_one_run_show_its_numbers_in_every_group() -> None:
    found = table()
    assert cell(found, "teacher: two", "baseline").mean == cell(found, "teacher: one", "baseline").mean


def test_seeds_that_share_a_run_count_once() -> None:
    floor = cell(table(), "teacher: one", "floor")
    assert (floor.mean, floor.std, floor.n, floor.of) == (pytest.approx(50), None, 1, 1)
    assert row(table(), "teacher: one", "floor").floor


def test_best_and_second_within_a_group() -> None:
    marks = {r.name: (r.cells["STS12"].best, r.cells["STS12"].second) for r in table().groups[0].rows}
    assert marks == {
        "floor": (False, False),
        "baseline": (False, False),
        "+CML": (False, True),
        "DALR": (True, False),
    }


def test_ties_share_the_first_place() -> None:
    marks = {r.name: (r.cells["STS12"].best, r.cells["STS12"].second) for r in table().groups[1].rows}
    assert marks == {
        "floor": (False, True),
        "baseline": (True, False),
        "+CML": (False, False),
        "DALR": (True, False),
    }


def test_what_prints_equal_ties() -> None:
    cells = [Place(name, 0, name) for name in "ab"]
    made = {
        name: Record(name, "s", name, 0, scores=[Score("x", "m", value, 1)])
        for name, value in (("a", 0.700001), ("b", 0.700004))
    }
    found = build(Summary("s", variants=("a", "b"), cells=cells), made, Request())
    assert [r.cells["x"].best for r in found.groups[0].rows] == [True, True]


def test_lower_is_better_where_the_metric_says_so() -> None:
    cells = [Place(name, 0, name) for name in "ab"]
    made = {
        name: Record(name, "s", name, 0, scores=[Score("shape", "uniformity", value, 1)])
        for name, value in (("a", -0.3), ("b", -0.2))
    }
    found = build(Summary("s", variants=("a", "b"), cells=cells), made, Request())
    assert [r.cells["shape"].best for r in found.groups[0].rows] == [True, False]


def test_differences_are_paired_by_seed() -> None:
    found = table(baseline="baseline")
    plus, ours, floor = (cell(found, "teacher: one", name).delta for name in ("+CML", "DALR", "floor"))
    assert plus is not None
    assert (plus.mean, plus.std, plus.n) == (pytest.approx(2), pytest.approx(1), 3)  # 2, 1, 3
    assert ours is not None
    assert (ours.mean, ours.std, ours.n) == (pytest.approx(3), pytest.approx(0, abs=1e-9), 2)  # 3, 3, failed
    assert floor is not None
    assert (floor.mean, floor.std, floor.n) == (pytest.approx(-21), pytest.approx(1), 3)  # -20, -21, -22
    assert cell(found, "teacher: one", "baseline").delta is None
    assert cell(found, "teacher: two", "+CML").delta is None


def test_the_baseline_may_stand_outside_the_grid() -> None:
    cells = [Place("plain", 0, "p"), Place("new", 0, "n", {"size": "big"})]
    made = {
        "p": Record("p", "s", "plain", 0, scores=[Score("x", "m", 0.5, 1)]),
        "n": Record("n", "s", "new", 0, scores=[Score("x", "m", 0.75, 1)]),
    }
    found = build(Summary("s", variants=("plain", "new"), cells=cells), made, Request(baseline="plain"))
    delta = cell(found, "size: big", "new", "x").delta
    assert delta is not None
    assert (delta.mean, delta.std, delta.n) == (25, None, 1)


def test_an_unknown_baseline_names_the_nearest() -> None:
    with pytest.raises(SuiteError, match=r"no row is called that\. Did you mean 'baseline'"):
        table(baseline="basline")


def test_a_support_variant_is_no_row() -> None:
    assert "teacher" not in [row.name for group in table().groups for row in group.rows]
    with pytest.raises(SuiteError):
        table(baseline="teacher")


def test_published_rows_are_marked_and_sourced() -> None:
    found = table()
    published = row(found, "reported", "DALR")
    assert published.kind == "reported"
    assert {name: c.mean for name, c in published.cells.items()} == {"Avg": 79.5}
    assert dict(found.notes)[published.note] == "reported: the paper, Table 2"
    assert not published.cells["Avg"].best


def test_published_rows_find_their_column_under_other_names() -> None:
    made = {"a": Record("a", "s", "a", 0, scores=[Score("transfer", "avg", 0.8, 7)])}
    layout = Summary("s", variants=("a",), cells=[Place("a", 0, "a")], expect={"a": {"SentEval.avg": 86.92}})
    found = build(layout, made, Request())
    assert row(found, "reported", "a").cells["Avg (transfer)"].mean == 86.92


def test_a_given_published_row_has_its_own_deviation() -> None:
    given = Reported("SimCSE", "its paper", {"STS12.spearman": 68.4}, {"STS12.spearman": 0.2})
    published = cell(table(reported=[given]), "reported", "SimCSE")
    assert (published.mean, published.std) == (68.4, 0.2)


def test_the_gap_to_what_was_published() -> None:
    found = table(gap=True)
    ours = cell(found, "teacher: one", "DALR", "Avg").delta
    assert ours is not None
    assert (ours.mean, ours.n) == (pytest.approx(74 - 79.5), 2)
    assert ours.std == pytest.approx(math.sqrt(0.5))
    assert cell(found, "teacher: one", "DALR", "STS12").delta is None
    assert cell(found, "teacher: one", "+CML", "Avg").delta is None
    with pytest.raises(SuiteError, match="--baseline and --gap"):
        table(gap=True, baseline="baseline")


def test_protocols_are_not_mixed_in_a_column() -> None:
    made = records()
    made["DALR-one-0"] = replace(made["DALR-one-0"], scores=scores(73, PROTOCOL.replace("=all", "=mean")))
    with pytest.raises(SuiteError) as caught:
        build(summary(), made, Request(tasks=["STS12"]))
    assert [str(fault) for fault in caught.value.faults] == [
        "STS12: two protocols in one column: 'sts; aggregation=all; sts13=without SMT' (rows floor, baseline, +CML, "
        "DALR) and 'sts; aggregation=mean; sts13=without SMT' (rows DALR); they differ in: aggregation=all against "
        "aggregation=mean. --mix-protocols prints them all the same"
    ]
    mixed = build(summary(), made, Request(tasks=["STS12"], mix_protocols=True))
    assert [text for _, text in mixed.protocols] == [
        "sts; aggregation=all; sts13=without SMT (rows floor, baseline, +CML, DALR)",
        "sts; aggregation=mean; sts13=without SMT (rows DALR)",
    ]


def test_one_run_scored_in_two_ways_is_not_half_forgotten() -> None:
    """`evaluate` may name an evaluator twice: both scores of a task have one column."""
    made = records()
    first = made["DALR-one-0"].scores
    again = scores(55, PROTOCOL.replace("=all", "=mean"))
    assert [(s.task, s.metric, s.aggregation, s.split) for s in again] == [
        (s.task, s.metric, s.aggregation, s.split) for s in first
    ]
    made["DALR-one-0"] = replace(made["DALR-one-0"], scores=[*first, *again])
    with pytest.raises(SuiteError, match=r"STS12: two protocols .* \(rows DALR\); they differ in: aggregation=all against"):
        build(summary(), made, Request(tasks=["STS12"]))
    mixed = build(summary(), made, Request(tasks=["STS12"], mix_protocols=True))
    assert cell(mixed, "teacher: one", "DALR").mean == cell(table(), "teacher: one", "DALR").mean  # the first one named
    made["DALR-one-0"] = replace(made["DALR-one-0"], scores=[*first, *first])
    assert build(summary(), made, Request(tasks=["STS12"])) == table(tasks=["STS12"])


def test_encoders_may_differ_and_what_they_share_is_told() -> None:
    made = records()
    made["floor"] = replace(made["floor"], scores=scores(50, PROTOCOL.replace("pooling=cls", "dim=9")))
    found = build(summary(), made, Request())
    assert found.encoders == "torch=2"
    assert table().encoders == "pooling=cls; torch=2"
    assert found.protocols == [(["STS12", "Avg"], "sts; aggregation=all; sts13=without SMT")]


def test_a_published_protocol_counts_too() -> None:
    given = Reported("X", "its paper", {"STS12.spearman": 60}, protocols={"STS12.spearman": "weighted mean"})
    with pytest.raises(SuiteError, match="'weighted mean'"):
        table(reported=[given])


def test_a_published_number_is_of_the_main_score_alone() -> None:
    made = records()
    for run, record in made.items():
        more = [replace(score, split="dev", aggregation=None) for score in record.scores if score.task == "STS12"]
        more += [replace(score, metric="devacc", split="dev", aggregation=None) for score in more]
        made[run] = replace(record, scores=[*record.scores, *more])
    given = Reported("X", "its paper", {"STS12.spearman": 60, "STS12.devacc": 61})
    asked = Request(tasks=["STS12", "STS12.spearman.dev", "STS12.devacc"], reported=[given])
    found = build(summary(), made, asked)
    assert [column.name for column in found.columns] == ["STS12", "STS12 spearman dev", "STS12 devacc dev"]
    published = next(r for group in found.groups for r in group.rows if r.name == "X")
    assert {name: each.mean for name, each in published.cells.items()} == {"STS12": 60, "STS12 devacc dev": 61}


def test_cost_is_the_mean_of_the_seconds() -> None:
    found = table(cost=True)
    assert found.columns[-1].name == "seconds"
    assert cell(found, "teacher: one", "baseline", "seconds").mean == pytest.approx(11)  # 10, 11, 12
    assert cell(found, "teacher: one", "floor", "seconds").best  # fewer is better


def test_a_total_is_not_added_to_its_parts() -> None:
    made = {"a": Record("a", "s", "a", 0, scores=[Score("x", "m", 0.5, 1)], seconds={"train": 2.0, "total": 3.0})}
    found = build(Summary("s", variants=("a",), cells=[Place("a", 0, "a")]), made, Request(cost=True))
    assert cell(found, "", "a", "seconds").mean == 3


def test_a_done_run_without_the_score_says_so() -> None:
    made = records()
    kept = [score for score in made["+CML-one-1"].scores if score.task != "STS12"]
    made["+CML-one-1"] = replace(made["+CML-one-1"], scores=kept)
    found = build(summary(), made, Request())
    ours = cell(found, "teacher: one", "+CML")
    assert (ours.n, ours.of) == (2, 3)
    assert dict(found.notes)[ours.note] == "no score for STS12 (seed 1)"
    assert cell(found, "teacher: one", "+CML", "Avg").n == 3


def test_a_damaged_record_is_never_counted() -> None:
    made = records()
    made["+CML-one-1"] = replace(made["+CML-one-1"], status="damaged", error="half-written", scores=scores(99))
    ours = cell(build(summary(), made, Request()), "teacher: one", "+CML")
    assert (ours.mean, ours.n, ours.of) == (pytest.approx(73.5), 2, 3)


def test_nothing_done_is_still_a_table() -> None:
    found = build(summary(), {}, Request())
    assert found.columns == []
    assert dict(found.notes)[row(found, "teacher: one", "+CML").note] == "not run (seeds 0, 1, 2)"


def test_the_same_records_give_the_same_table() -> None:
    assert table(baseline="baseline", cost=True) == table(baseline="baseline", cost=True)
