"""Results in, report out. Pure but for reading the run folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dalr_bench.record.record import Record
from dalr_bench.record.results import Results, outcomes
from dalr_bench.record.summary import Summary
from dalr_bench.report.curves import conflicts, curves
from dalr_bench.report.effects import Effects, Judge, effects
from dalr_bench.report.model import Dataset, Report, Run, unique
from dalr_bench.report.runs import read_runs
from dalr_bench.statistics.paired import Difference
from dalr_bench.table.build import build
from dalr_bench.table.columns import key_of
from dalr_bench.table.model import Column, Delta, Request, Table
from dalr_bench.table.notes import clean
from dalr_bench.table.stats import mean, std

_HABIT = "baseline"
_OF_A_STEP = {"ms_per_step", "share"}


def build_report(results: Results, request: Request, judge: Judge | None = None) -> Report:
    """Everything the page shows. Without `request.baseline` differences are to the variant called `baseline`, else to
    the suite's first row that is no floor. `judge` gives their intervals; without it seeds alone do.

    Raises SuiteError where the table does: unknown task or baseline, protocols mixed in one column.
    """
    if request.baseline is None:
        request = replace(request, baseline=default_baseline(results.summary))
    table = build(results.summary, outcomes(results), request)
    runs = read_runs(results)
    worth = effects(results, table.columns, request.baseline, judge)
    data = {
        "cells": cells(table, runs, worth),
        "scores": scores(table, runs),
        "others": others(table, runs),
        "runs": Dataset("runs", ("run", "variant", "seed", "groups"), _names(runs)),
        "curves": curves(runs),
        "conflicts": conflicts(runs),
        "parts": parts(runs),
        "steps": steps(runs),
    }
    return Report(table, runs, data, main_column(table.columns), environments(runs))


def default_baseline(summary: Summary) -> str | None:
    """The variant differences are taken to when nobody says; None where there are no two rows to compare."""
    rows = [name for name in summary.variants if name not in summary.support]
    plain = [name for name in rows if name not in summary.floors]
    placed = {cell.variant for cell in summary.cells}
    known = [name for name in (*plain, *rows) if name in placed]
    if len(set(known)) < 2:
        return None
    return _HABIT if _HABIT in known else known[0]


def main_column(columns: Sequence[Column]) -> str | None:
    """The first average, else the first column."""
    averages = [column.name for column in columns if column.key[1] == "avg"]
    return next(iter([*averages, *(column.name for column in columns)]), None)


# ------------------------------------------------------------------ what the charts draw
def cells(table: Table, runs: Sequence[Run], worth: Effects) -> Dataset:
    """The measured cells: mean and std (×100), the difference to the baseline with its interval, and the row's cost."""
    fields = (
        "variant", "group", "column", "mean", "std", "n", "baseline", "delta", "low", "high", "p", "rests_on",
        "pairs", "seconds", "megabytes",
    )  # fmt: skip
    rows = []
    for group in table.groups:
        bases = {
            name: cell.mean for row in group.rows if row.name == table.baseline for name, cell in row.cells.items()
        }
        for row in group.rows:
            cost = _cost(runs, row.name, group.label)
            for name, cell in row.cells.items() if row.kind == "measured" else ():
                if cell.mean is not None:
                    effect = _effect(cell.delta, worth.get((row.name, group.label, name)))
                    found = (cell.mean, cell.std, cell.n, bases.get(name), *effect, *cost)
                    rows.append((row.name, group.label, name, *map(_short, found)))
    return Dataset("table cells", fields, rows)


def _effect(delta: Delta | None, worth: Difference | None) -> tuple[Any, ...]:
    """Difference, both ends of its interval, p, what they rest on, pairs of seeds."""
    if delta is None or worth is None:
        return None, None, None, None, None, 0
    ends = (None, None) if worth.interval is None else (100 * worth.interval.low, 100 * worth.interval.high)
    return delta.mean, *ends, worth.p, worth.basis, delta.n


def scores(table: Table, runs: Sequence[Run]) -> Dataset:
    """The score (×100) of every seed in every column of the table."""
    names = {column.key: column.name for column in table.columns}
    rows = [
        (run.id, run.variant, group, run.seed, names[key_of(score)], _short(100 * score.value))
        for run, record in _rows(runs)
        for score in record.scores
        if key_of(score) in names
        for group in run.groups
    ]
    return Dataset("scores of each seed", ("run", "variant", "group", "seed", "column", "value"), rows)


def others(table: Table, runs: Sequence[Run]) -> Dataset:
    """What was scored beside the table's columns (subsets, diagnostics, other metrics): means over seeds, as recorded.

    A score belongs to the family its task's name begins with: `a/b` and `a:c` to `a`.
    """
    shown = {column.key for column in table.columns}
    found: dict[tuple[str, str, str, str], list[float]] = {}
    for run, record in _rows(runs):
        for score in record.scores:
            if key_of(score) not in shown:
                family, measure = _measure(*key_of(score))
                for group in run.groups:
                    found.setdefault((run.variant, group, family, measure), []).append(score.value)
    rows = [(*key, *map(_short, (mean(values), std(values), len(values)))) for key, values in found.items()]
    return Dataset("other scores", ("variant", "group", "family", "measure", "value", "std", "n"), rows)


def parts(runs: Sequence[Run]) -> Dataset:
    """Mean seconds by part of the work; `other` is what the total holds beyond its parts."""
    found: dict[tuple[str, str], list[Mapping[str, float]]] = {}
    for run, record in _rows(runs):
        for group in run.groups:
            found.setdefault((run.variant, group), []).append(_split(record.seconds))
    rows = [
        (variant, group, part, _short(mean([seconds.get(part, 0.0) for seconds in each])))
        for (variant, group), each in found.items()
        for part in unique(name for seconds in each for name in seconds)
    ]
    return Dataset("seconds by part", ("variant", "group", "part", "seconds"), rows)


def steps(runs: Sequence[Run]) -> Dataset:
    """Mean cost of a training step by part; what no run of a row knows is missing, not zero."""
    found: dict[tuple[str, str, str], list[Mapping[str, float]]] = {}
    for run, record in _rows(runs):
        for part, cost in record.spent.items():
            for group in run.groups if part != "step" and _OF_A_STEP & set(cost) else ():
                found.setdefault((run.variant, group, part.removeprefix("losses.")), []).append(cost)
    kinds = (("ms_per_step", 1.0), ("peak_bytes", 1e-6), ("joules_per_step", 1.0))
    rows = [(*key, *(_mean_of(costs, kind, factor) for kind, factor in kinds)) for key, costs in found.items()]
    return Dataset("cost of a step by part", ("variant", "group", "part", "ms", "megabytes", "joules"), rows)


def _mean_of(costs: Sequence[Mapping[str, float]], kind: str, factor: float) -> float | None:
    known = [factor * cost[kind] for cost in costs if kind in cost]
    return float(_short(mean(known))) if known else None


def environments(runs: Sequence[Run]) -> list[tuple[Mapping[str, Any], list[str]]]:
    """(environment, ids of the runs that ran in it), the commonest first."""
    found: list[tuple[Mapping[str, Any], list[str]]] = []
    for run in runs:
        if run.record is None or not run.record.environment:
            continue
        same = next((ids for environment, ids in found if environment == run.record.environment), None)
        if same is None:
            found.append((run.record.environment, same := []))
        same.append(run.id)
    return sorted(found, key=lambda pair: -len(pair[1]))


def _rows(runs: Sequence[Run]) -> list[tuple[Run, Record]]:
    """The finished runs that rows of the table are made of."""
    wanted = [run for run in runs if run.role in ("row", "floor") and run.state == "done"]
    return [(run, run.record) for run in wanted if run.record is not None]


def _names(runs: Sequence[Run]) -> list[tuple[Any, ...]]:
    return [(run.id, run.variant, run.seed, list(run.groups)) for run in runs]


def _cost(runs: Sequence[Run], variant: str, group: str) -> tuple[float | None, float | None]:
    """Mean seconds and mean peak memory (MB) of the finished runs of one row."""
    found = [record for run, record in _rows(runs) if run.variant == variant and group in run.groups]
    seconds = [total for record in found if (total := sum(_split(record.seconds).values()))]
    memory = [peak / 1e6 for record in found if (peak := _peak(record.extra.get("bytes"))) is not None]
    return mean(seconds) if seconds else None, mean(memory) if memory else None


def _peak(recorded: Any) -> float | None:
    peak = recorded.get("peak") if isinstance(recorded, dict) else None
    return float(peak) if isinstance(peak, int | float) else None


def _split(seconds: Mapping[str, float]) -> dict[str, float]:
    named = {part: value for part, value in seconds.items() if part != "total"}
    rest = seconds.get("total", 0.0) - sum(named.values())
    return {**named, **({"other": rest} if rest > 0 else {})}


def _measure(task: str, metric: str, aggregation: str | None, split: str) -> tuple[str, str]:
    places = [place for mark in "/:" if (place := task.find(mark)) > 0]
    family, rest = (task[: min(places)], task[min(places) + 1 :]) if places else (task, "")
    detail = [rest, metric, aggregation or "", "" if split == "test" else split]
    return clean(family), clean(" ".join(part for part in detail if part))


def _short(value: Any) -> Any:
    """Six digits are more than anybody reads; they keep the page small."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
