"""What a plan will cost, from what runs of the same suite took."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any, Literal

from dalr_bench.suite.plan import Plan
from dalr_bench.types import Run

State = Literal["done", "failed", "missing", "duplicate"]


def steps_of(run: Run) -> int | None:
    """Training steps; None where the suite gives epochs, whose length only the data tells."""
    steps = run.config["train"].get("steps")
    return steps if isinstance(steps, int) else None


def estimates(plan: Plan, seconds: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Run id → {"steps", "seconds"}. `seconds` are those of the runs that are done, by id.

    A run that is done has the seconds it took; any other the median rate of the done ones (seconds a step) times its
    steps, or for an untrained run the median of the untrained; None where nothing like it was recorded.
    """
    done = [(steps_of(run), seconds[run.id]) for run in plan.runs if run.id in seconds]
    rates = [took / steps for steps, took in done if steps]
    idle = [took for steps, took in done if steps == 0]
    out: dict[str, dict[str, Any]] = {}
    for run in plan.runs:
        steps = steps_of(run)
        guess = median(rates) * steps if steps and rates else median(idle) if steps == 0 and idle else None
        out[run.id] = {"steps": steps, "seconds": seconds.get(run.id, guess)}
    return out


def plan_document(plan: Plan, states: Mapping[str, State], seconds: Mapping[str, float]) -> dict[str, Any]:
    """What `plan --json` prints: runs in the order they can be run, then the cells that another run already fills."""
    costs = estimates(plan, seconds)
    runs = [_entry(run, run.variant, run.axes, run.seed, states[run.id], costs[run.id]) for run in plan.runs]
    by_id = {run.id: run for run in plan.runs}
    runs += [
        _entry(by_id[place.run], place.variant, place.axes, place.seed, "duplicate", {"steps": 0, "seconds": 0.0})
        for place in plan.cells
        if place.duplicate
    ]
    return {
        "suite": plan.suite.name,
        "title": plan.suite.title,
        "runs": runs,
        "total": _total(plan, states, costs, runs),
    }


def _entry(
    run: Run, variant: str, axes: Mapping[str, str], seed: int, state: State, cost: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "id": run.id,
        "variant": variant,
        "axes": dict(axes),
        "seed": seed,
        "state": state,
        "needs": list(run.needs),
        "estimate": dict(cost),
    }


def _total(
    plan: Plan, states: Mapping[str, State], costs: Mapping[str, Mapping[str, Any]], runs: list[dict[str, Any]]
) -> dict[str, Any]:
    """Counts by state, and steps and seconds of what is still to do (None where a part of it is unknown)."""
    left = [costs[run.id] for run in plan.runs if states[run.id] != "done"]
    counts = {state: sum(run["state"] == state for run in runs) for state in ("done", "failed", "missing", "duplicate")}
    return {
        "runs": len(plan.runs),
        "cells": len(plan.cells),
        **counts,
        **{key: _sum(left, key) for key in ("steps", "seconds")},
    }


def _sum(costs: list[Mapping[str, Any]], key: str) -> Any:
    values = [cost[key] for cost in costs]
    return None if None in values else sum(values)
