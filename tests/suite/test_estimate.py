"""What a plan will cost, by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dalr_bench.record.record import Record
from dalr_bench.suite import Plan
from dalr_bench.suite.estimate import Cost, Known, State, estimates, plan_document, told
from dalr_bench.suite.makespan import makespan
from dalr_bench.suite.measures import Measure, of_record, typical
from dalr_bench.types import Run

TEXT = "ablate: {plain: {}, long: {train.steps: 20}, floor: {train.steps: 0}, e: {train.steps: null, train.epochs: 1.0}, same: {}}\n"
TRAINED = Measure(prepare=2.0, step=0.4, check=None, score=1.0, rest=0.5, memory=700, disk=30, steps=7)
IDLE = Measure(prepare=0.1, step=None, check=None, score=0.4)


def test_a_run_costs_what_runs_of_its_shape_took(base: str, plan_of: Callable[..., Plan]) -> None:
    plan = plan_of(base + "seeds: [0, 1, 2]\n" + TEXT)
    ids = {(run.variant, run.seed): run.id for run in plan.runs}
    shapes = {run.id: "idle" if run.variant == "floor" else "trained" for run in plan.runs}
    costs = estimates(plan, Known({"trained": TRAINED, "idle": IDLE}, shapes, {ids["plain", 2]: 9.0}))
    assert costs[ids["long", 0]] == Cost(20, 2.0 + 20 * 0.4 + 1.0 + 0.5, 700, 30, "recorded")
    assert costs[ids["plain", 2]] == Cost(5, 9.0, 700, 30, "recorded")
    assert costs[ids["floor", 1]] == Cost(0, 0.5, source="recorded")
    # How long an epoch is only the data tells: as long as it was for the recorded run.
    assert costs[ids["e", 0]] == Cost(7, 2.0 + 7 * 0.4 + 1.0 + 0.5, 700, 30, "recorded")


def test_an_unknown_shape_borrows_and_says_so_and_nothing_known_is_not_zero(
    base: str, plan_of: Callable[..., Plan]
) -> None:
    plan = plan_of(base + TEXT)
    ids = {run.variant: run.id for run in plan.runs}
    other = Measure(prepare=4.0, step=0.8, check=None, score=3.0, source="probe")
    found = estimates(plan, Known({"a": TRAINED, "b": other}, {}))
    assert found[ids["plain"]] == Cost(5, 3.0 + 5 * 0.6 + 2.0 + 0.25, 700, 30, "recorded, like another shape")
    assert found[ids["floor"]] == Cost(0, None)
    assert estimates(plan, Known())[ids["plain"]] == Cost(5, None)
    assert estimates(plan, Known(modelled={ids["plain"]: 0.25}))[ids["plain"]] == Cost(5, 1.25, source="model")


def test_what_stands_in_a_record_wrongly_says_nothing() -> None:
    seconds = {"prepare": 1.0, "train": 8.0, "total": 9.0}
    wrong = {"steps": "four", "dev_curve": 3, "bytes": [1]}
    found = of_record(Record("r", "s", "v", 0, seconds=seconds, extra=wrong))
    assert (found.steps, found.step, found.check, found.memory) == (0, None, None, None)
    assert (found.prepare, found.rest) == (1.0, 0.0)


def test_what_a_record_says(tmp_path: object) -> None:
    seconds = {
        "prepare": 3.0,
        "train": 6.0,
        "dev": 4.0,
        "score.encode": 1.0,
        "score.x": 0.5,
        "other": 0.25,
        "total": 14.75,
    }
    extra = {"steps": 30, "dev_curve": [{}, {}], "bytes": {"peak": 99}}
    found = of_record(Record("r", "s", "v", 0, seconds=seconds, extra=extra))
    assert found == Measure(3.0, 0.2, 2.0, 1.5, 0.25, 99, None, 30)
    assert found.seconds(30, 2) == pytest.approx(14.75)
    assert found.seconds(60, 4) == pytest.approx(14.75 + 6.0 + 4.0)
    assert Measure(1.0, None, None, 1.0).seconds(5, 0) is None
    assert typical([found, found, Measure(90.0, 9.0, None, 1.5, 0.25, None, None, 30)]) == found


def run(name: str, *needs: str) -> Run:
    return Run(name, "s", name, {}, 0, {}, needs)


@pytest.mark.parametrize(
    ("workers", "start", "seconds"),
    [
        (1, 0.0, 3 + 4 + 5 + 6),
        # Teacher and floor first; one student at 3, the other when the floor is done.
        (2, 0.0, max(3 + 4, 6 + 5)),
        (2, 1.0, 1 + max(3 + 4, 6 + 5)),
        # The third worker begins when the second student waits for one, and needs its start then.
        (3, 1.0, 1 + 3 + 1 + 5),
        (9, 0.0, 3 + 5),
    ],
)
def test_time_on_the_clock(workers: int, start: float, seconds: float) -> None:
    runs = [run("teacher"), run("a", "teacher"), run("b", "teacher"), run("floor")]
    took = {"teacher": 3.0, "a": 4.0, "b": 5.0, "floor": 6.0}
    assert makespan(runs, took, workers, start) == seconds


def test_one_unknown_run_makes_the_clock_unknown() -> None:
    assert makespan([run("a"), run("b")], {"a": 1.0, "b": None}, 2) is None


def test_the_document_of_the_contract(base: str, plan_of: Callable[..., Plan]) -> None:
    plan = plan_of(base + TEXT.replace(", e: {train.steps: null, train.epochs: 1.0}", ""))
    ids = [run.id for run in plan.runs]
    states: dict[str, State] = dict(zip(ids, ("done", "missing", "failed"), strict=True))
    shapes = dict(zip(ids, ("t", "t", "i"), strict=True))
    document = plan_document(plan, states, Known({"t": TRAINED, "i": IDLE}, shapes, {ids[0]: 10.0}), 2, 1.0)
    assert [(run["id"], run["variant"], run["state"]) for run in document["runs"]] == [
        (ids[0], "plain", "done"),
        (ids[1], "long", "missing"),
        (ids[2], "floor", "failed"),
        (ids[0], "same", "duplicate"),
    ]
    for each in document["runs"]:
        assert set(each) == {"id", "variant", "axes", "seed", "state", "needs", "estimate"}
        assert set(each["estimate"]) == {"steps", "seconds", "memory_bytes", "disk_bytes", "source"}
    total = document["total"]
    assert {key: total[key] for key in ("runs", "cells", "done", "failed", "missing", "duplicate", "steps")} == {
        "runs": 3, "cells": 4, "done": 1, "failed": 1, "missing": 1, "duplicate": 1, "steps": 20,
    }  # fmt: skip
    assert total["seconds"] == pytest.approx(11.5 + 0.5)
    assert total["device_hours"] == pytest.approx(12.0 / 3600)
    assert (total["memory_bytes"], total["disk_bytes"], total["sources"]) == (None, None, ["recorded"])
    assert (total["workers"], total["wall_seconds"]) == (2, pytest.approx(12.5))


def test_what_a_model_leaves_out_is_told() -> None:
    assert told(["probe", "recorded"]) == "probe, recorded"
    assert told(["model"]) == "model, steps alone (`plan --probe` measures the rest)"
