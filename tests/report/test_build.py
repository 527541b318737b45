from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_samples import write_trained
from result_samples import records, summary, write

from dalr_bench.errors import SuiteError
from dalr_bench.record.results import read_results
from dalr_bench.report.build import build_report, default_baseline, environments, main_column
from dalr_bench.report.model import Dataset, Report, Run
from dalr_bench.report.runs import read_runs
from dalr_bench.table.columns import read_order
from dalr_bench.table.model import Column, Request


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return build_report(read_results(write_trained(tmp_path / "pets")), Request())


def one(data: Dataset, **wanted: Any) -> dict[str, Any]:
    found = [row for row in data.records() if all(row[key] == value for key, value in wanted.items())]
    assert len(found) == 1, found
    return found[0]


def test_effects_are_paired_by_seed(report: Report) -> None:
    """+CML has 72, 72, 75 where the baseline has 70, 71, 72: differences 2, 1, 3, so 2 ± 4.302653·1/√3."""
    cell = one(report.data["cells"], variant="+CML", group="teacher: one", column="STS12")
    assert cell["delta"] == pytest.approx(2.0)
    assert (cell["low"], cell["high"]) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-5)
    assert cell["pairs"] == 3
    assert cell["mean"] == pytest.approx(73)
    assert cell["baseline"] == pytest.approx(71)


def test_a_failed_seed_leaves_its_pair_out(report: Report) -> None:
    """DALR has 73 and 74 where the baseline has 70 and 71: 3 and 3, and no spread to make an interval of."""
    cell = one(report.data["cells"], variant="DALR", group="teacher: one", column="STS12")
    assert (cell["delta"], cell["low"], cell["high"], cell["pairs"]) == (3, None, None, 2)
    assert cell["n"] == 2


def test_the_baseline_has_no_difference_to_itself(report: Report) -> None:
    cell = one(report.data["cells"], variant="baseline", group="teacher: one", column="STS12")
    assert cell["delta"] is None
    assert cell["low"] is None


def test_every_seed_stands_in_every_group_it_belongs_to(report: Report) -> None:
    rows = [row for row in report.data["scores"].records() if row["column"] == "STS12"]
    assert [r["value"] for r in rows if r["variant"] == "baseline" and r["group"] == "teacher: two"] == [72, 71, 70]
    assert sum(r["variant"] == "DALR" for r in rows) == 5
    assert not [r for r in rows if r["variant"] == "+CML" and r["group"] == "teacher: two"]


def test_cost_is_the_mean_of_a_rows_runs(report: Report) -> None:
    """Seconds are 8 of training and 2, 3, 4 of scoring for the seeds 0, 1, 2."""
    cell = one(report.data["cells"], variant="baseline", group="teacher: one", column="STS12")
    assert (cell["seconds"], cell["megabytes"]) == (11, 3)
    assert one(report.data["parts"], variant="baseline", group="teacher: one", part="score")["seconds"] == 3


def test_a_step_is_split_among_its_parts(report: Report) -> None:
    """20, 21 and 22 ms in the student; the whole step is the sum of its parts and no part itself."""
    student = one(report.data["steps"], variant="baseline", group="teacher: one", part="student")
    assert (student["ms"], student["megabytes"], student["joules"]) == (21, 6, None)
    assert one(report.data["steps"], variant="baseline", group="teacher: one", part="margin")["ms"] == 2
    assert set(report.data["steps"].distinct("part")) == {"student", "margin"}


def test_what_the_parts_do_not_name_is_other(tmp_path: Path) -> None:
    results = read_results(write_trained(tmp_path / "pets"))
    longer = {run: replace(record, seconds={"train": 8.0, "total": 10.0}) for run, record in results.records.items()}
    report = build_report(replace(results, records=longer), Request())
    assert one(report.data["parts"], variant="floor", group="teacher: one", part="other")["seconds"] == 2
    assert one(report.data["cells"], variant="floor", group="teacher: one", column="Avg")["seconds"] == 10


def test_what_is_no_column_is_a_diagnostic_of_its_family(report: Report) -> None:
    row = one(report.data["others"], variant="baseline", group="teacher: one", measure="MSRpar spearman")
    assert (row["family"], row["value"], row["n"]) == ("STS12", 0.22, 3)
    families = {(r["family"], r["measure"]) for r in report.data["others"].records()}
    assert families == {("STS12", "MSRpar spearman"), ("STS12", "pearson all"), ("STS-dev", "spearman dev")}


def test_runs_say_what_they_are(report: Report) -> None:
    states = {run.id: (run.role, run.state) for run in report.runs}
    assert states["baseline-one-0"] == ("row", "done")
    assert states["DALR-one-2"] == ("row", "failed")
    assert states["+CML-two-1"] == ("row", "missing")
    assert states["teacher-one-0"] == ("support", "missing")
    assert states["floor"] == ("floor", "done")
    assert report.count() == {"missing": 9, "done": 12, "failed": 1}


def test_a_run_that_waits_for_a_failed_one_says_which(tmp_path: Path) -> None:
    folder = write(tmp_path / "pets")
    (folder / "+CML-two-1").mkdir()
    need = {"variant": "DALR", "seed": 2, "run_id": "DALR-one-2"}
    (folder / "+CML-two-1" / "config.json").write_text(json.dumps({"needs": [need]}))
    errors = {run.id: (run.state, run.error) for run in read_runs(read_results(folder))}
    assert errors["+CML-two-1"] == ("missing", "blocked by DALR-one-2, which failed")
    assert errors["+CML-two-2"] == ("missing", "")


def test_a_run_the_suite_does_not_name_is_a_stray(tmp_path: Path) -> None:
    results = read_results(write_trained(tmp_path / "pets"))
    cells = [cell for cell in results.summary.cells if cell.run_id != "floor"]
    report = build_report(replace(results, summary=replace(results.summary, cells=cells)), Request())
    (stray,) = [run for run in report.runs if run.role == "stray"]
    assert stray.id == "floor"
    assert not [row for row in report.data["scores"].records() if row["run"] == "floor"]


def test_the_baseline_is_chosen_where_nobody_says() -> None:
    layout = summary()
    assert default_baseline(layout) == "baseline"
    other = replace(layout, cells=[cell for cell in layout.cells if cell.variant != "baseline"])
    assert default_baseline(other) == "+CML"
    assert default_baseline(replace(layout, cells=[c for c in layout.cells if c.variant == "DALR"])) is None


def test_another_baseline_and_an_unknown_one(tmp_path: Path) -> None:
    results = read_results(write_trained(tmp_path / "pets"))
    assert build_report(results, Request(baseline="floor")).table.baseline == "floor"
    with pytest.raises(SuiteError, match="Did you mean 'baseline'"):
        build_report(results, Request(baseline="basline"))


def test_the_main_column_is_the_first_average() -> None:
    assert read_order()
    columns = [Column(name, name, "", (name, metric, None, "test")) for name, metric in (("a", "acc"), ("b", "avg"))]
    assert main_column(columns) == "b"
    assert main_column(columns[:1]) == "a"
    assert main_column([]) is None


def test_equal_environments_are_told_once() -> None:
    one_, two = {"python": "3.11"}, {"python": "3.12"}
    made = [replace(record, environment=two if k else one_) for k, record in enumerate(list(records().values())[:3])]
    runs = [Run(f"r{k}", "v", k, ("",), "row", "done", record=record) for k, record in enumerate(made)]
    assert environments([*runs, Run("gone", "v", 9, ("",), "row", "missing")]) == [(two, ["r1", "r2"]), (one_, ["r0"])]
