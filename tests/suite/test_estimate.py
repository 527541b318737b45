"""What a plan will cost, by hand."""

from __future__ import annotations

from collections.abc import Callable

from dalr_bench.suite import Plan
from dalr_bench.suite.estimate import State, estimates, plan_document

TEXT = "ablate: {plain: {}, long: {train.steps: 20}, floor: {train.steps: 0}, e: {train.steps: null, train.epochs: 1.0}, same: {}}\n"


def test_seconds_are_scaled_by_steps(base: str, plan_of: Callable[..., Plan]) -> None:
    plan = plan_of(base + "seeds: [0, 1, 2]\n" + TEXT)
    ids = {(run.variant, run.seed): run.id for run in plan.runs}
    took = {ids["plain", 0]: 1.0, ids["plain", 1]: 2.0, ids["plain", 2]: 9.0, ids["floor", 0]: 0.5}
    costs = estimates(plan, took)
    # Rates are 0.2, 0.4 and 1.8 seconds a step: the median run tells, not the one that was disturbed.
    assert costs[ids["long", 0]] == {"steps": 20, "seconds": 0.4 * 20}
    assert costs[ids["plain", 2]] == {"steps": 5, "seconds": 9.0}
    assert costs[ids["floor", 1]] == {"steps": 0, "seconds": 0.5}
    assert costs[ids["e", 0]] == {"steps": None, "seconds": None}
    assert estimates(plan, {})[ids["plain", 0]] == {"steps": 5, "seconds": None}


def test_the_document_of_the_contract(base: str, plan_of: Callable[..., Plan]) -> None:
    plan = plan_of(base + TEXT.replace(", e: {train.steps: null, train.epochs: 1.0}", ""))
    ids = [run.id for run in plan.runs]
    states: dict[str, State] = dict(zip(ids, ("done", "missing", "failed"), strict=True))
    document = plan_document(plan, states, {ids[0]: 10.0})
    assert [(run["id"], run["variant"], run["state"]) for run in document["runs"]] == [
        (ids[0], "plain", "done"),
        (ids[1], "long", "missing"),
        (ids[2], "floor", "failed"),
        (ids[0], "same", "duplicate"),
    ]
    for run in document["runs"]:
        assert set(run) == {"id", "variant", "axes", "seed", "state", "needs", "estimate"}
    assert document["total"] == {
        "runs": 3, "cells": 4, "done": 1, "failed": 1, "missing": 1, "duplicate": 1, "steps": 20, "seconds": None,
    }  # fmt: skip
