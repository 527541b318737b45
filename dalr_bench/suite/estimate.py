"""What a plan will cost: time, memory and disk of each run, from measured runs of its shape, else from a stated model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from dalr_bench.suite.makespan import makespan
from dalr_bench.suite.measures import Measure, Source
from dalr_bench.suite.plan import Plan
from dalr_bench.types import Run

State = Literal["done", "failed", "missing", "duplicate"]


@dataclass(frozen=True)
class Cost:
    """One run. None is unknown, never zero. `source`: recorded, probe or model; "like" added where another shape lent it."""

    steps: int | None
    seconds: float | None
    memory: int | None = None
    disk: int | None = None
    source: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As `plan --json` has it."""
        return {
            "steps": self.steps,
            "seconds": self.seconds,
            "memory_bytes": self.memory,
            "disk_bytes": self.disk,
            "source": self.source,
        }


@dataclass(frozen=True)
class Known:
    """All that an estimate may rest on: measures by shape, each run's shape, seconds of runs that are done, a last resort."""

    measures: Mapping[str, Measure] = field(default_factory=dict)
    shapes: Mapping[str, str] = field(default_factory=dict)
    took: Mapping[str, float] = field(default_factory=dict)
    modelled: Mapping[str, float] = field(default_factory=dict)


def steps_of(run: Run, measure: Measure | None = None) -> int | None:
    """Training steps; where the suite gives epochs, as many as a measured run of the shape had, else None."""
    steps = run.config["train"].get("steps")
    return steps if isinstance(steps, int) else measure.steps if measure and measure.source == "recorded" else None


def estimates(plan: Plan, known: Known) -> dict[str, Cost]:
    """Run id → what it costs. A run that is done costs what it took."""
    return {run.id: _cost(run, known) for run in plan.runs}


def _cost(run: Run, known: Known) -> Cost:
    measure = known.measures.get(known.shapes.get(run.id, ""))
    steps = steps_of(run, measure)
    if run.id in known.took:
        memory, disk = (None, None) if measure is None else (measure.memory, measure.disk)
        return Cost(steps, known.took[run.id], memory, disk, "recorded")
    like = "" if measure else ", like another shape"
    measure = measure or _neighbour(steps, known.measures)
    if measure is not None and steps is not None:
        seconds = measure.seconds(steps, checks_of(run, steps))
        if seconds is not None:
            return Cost(steps, seconds, measure.memory, measure.disk, f"{measure.source}{like}")
    rate = known.modelled.get(run.id)
    if rate is not None and steps is not None:
        return Cost(steps, rate * steps, source="model")
    return Cost(steps, None)


def checks_of(run: Run, steps: int) -> int:
    """Dev checks of a run of so many steps: every `dev_every` and at the end."""
    train = run.config["train"]
    return -(-steps // train["dev_every"]) if steps and train.get("dev") else 0


def _neighbour(steps: int | None, measures: Mapping[str, Measure]) -> Measure | None:
    """What runs of other shapes took, where none of this one was measured: the median of those that train as this one does."""
    alike = [each for each in measures.values() if (each.step is not None) == bool(steps)]
    if not alike:
        return None

    def middle(name: str) -> Any:
        values = [value for each in alike if (value := getattr(each, name)) is not None]
        return median(values) if values else None

    names = ("prepare", "step", "check", "score", "rest", "memory", "disk")
    source: Source = "probe" if all(each.source == "probe" for each in alike) else "recorded"
    return Measure(**{name: middle(name) for name in names}, source=source)


def plan_document(
    plan: Plan, states: Mapping[str, State], known: Known, workers: int = 1, start: float = 0.0
) -> dict[str, Any]:
    """What `plan --json` prints: runs in the order they can be run, then the cells that another run already fills.

    `workers` runs at once, each worker needing `start` seconds before its first.
    """
    costs = estimates(plan, known)
    runs = [_entry(run, run.variant, run.axes, run.seed, states[run.id], costs[run.id]) for run in plan.runs]
    by_id = {run.id: run for run in plan.runs}
    none = Cost(0, 0.0, 0, 0)
    runs += [
        _entry(by_id[place.run], place.variant, place.axes, place.seed, "duplicate", none)
        for place in plan.cells
        if place.duplicate
    ]
    left = [run for run in plan.runs if states[run.id] != "done"]
    total = _counts(plan, runs) | _total([costs[run.id] for run in left])
    seconds = {run.id: costs[run.id].seconds for run in left}
    total |= {"workers": workers, "wall_seconds": makespan(left, seconds, workers, start)}
    return {"suite": plan.suite.name, "title": plan.suite.title, "runs": runs, "total": total}


def _entry(run: Run, variant: str, axes: Mapping[str, str], seed: int, state: State, cost: Cost) -> dict[str, Any]:
    return {
        "id": run.id,
        "variant": variant,
        "axes": dict(axes),
        "seed": seed,
        "state": state,
        "needs": list(run.needs),
        "estimate": cost.to_json(),
    }


def _counts(plan: Plan, runs: list[dict[str, Any]]) -> dict[str, Any]:
    counts = {state: sum(run["state"] == state for run in runs) for state in ("done", "failed", "missing", "duplicate")}
    return {"runs": len(plan.runs), "cells": len(plan.cells), **counts}


def _total(left: list[Cost]) -> dict[str, Any]:
    """Of what is still to do; None where a part of it is unknown. One run occupies one device."""
    seconds = _sum([cost.seconds for cost in left])
    memory = [cost.memory for cost in left]
    return {
        "steps": _sum([cost.steps for cost in left]),
        "seconds": seconds,
        "device_hours": None if seconds is None else seconds / 3600,
        "memory_bytes": None if None in memory else max((each or 0 for each in memory), default=0),
        "disk_bytes": _sum([cost.disk for cost in left]),
        "sources": sorted({cost.source for cost in left if cost.source}),
    }


def told(sources: Sequence[str]) -> str:
    """Where estimates come from, for people: a model knows of the steps alone, not of start, data and scoring."""
    return ", ".join("model, steps alone (`plan --probe` measures the rest)" if name == "model" else name for name in sources)


def _sum(values: list[Any]) -> Any:
    return None if None in values else sum(values)
