"""`plan --probe`: a few real steps and a whole scoring of one run of each shape, on the workers the grid will have."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from dalr_bench.cache import cache_root
from dalr_bench.errors import DataError
from dalr_bench.execute.queue import TaskQueue
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.record.files import write_json
from dalr_bench.record.record import Record
from dalr_bench.record.steps import read_steps
from dalr_bench.record.store import read_record
from dalr_bench.suite.known import START, Past
from dalr_bench.suite.measures import PROBES, Measure, keep_probe, of_record
from dalr_bench.types import Part, Run, Task

# Long enough that first steps (allocation, compilation) can be told from the rest, and for two dev checks.
STEPS, LOGGED, CHECKED = 30, 5, 15


@dataclass(frozen=True)
class Hands:
    """Who does the probing: an executor of this machine, as the grid's own runs will have it."""

    catalogue: Catalogue
    jobs: int | None = None
    device: str = "auto"


def probe(past: Past, hands: Hands, told: Callable[[Mapping[str, Any]], None]) -> int:
    """Measure every shape of the plan of which nothing is known; returns how many. What was measured is kept in the cache.

    Runs that others need are run too, as short. Raises DataError where a probe fails: its run would fail as well.
    """
    chosen = past.unmeasured()
    if not chosen:
        return 0
    folder = cache_root() / PROBES / f"run-{os.getpid()}-{time.time_ns():x}"
    try:
        first = _First(told)
        started = time.perf_counter()
        _execute(_with_needs(chosen, past.plan.runs), folder, hands, first)
        keep_probe(past.device, START, Measure(max(0.0, first.at - started), None, None, 0.0))
        for run in chosen:
            keep_probe(past.device, past.shapes[run.id], _measured(run, folder / run.id))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return len(chosen)


@dataclass
class _First:
    """Hands events on, and knows when the first one came: a worker was ready then."""

    told: Callable[[Mapping[str, Any]], None]
    at: float = 0.0

    def __call__(self, event: Mapping[str, Any]) -> None:
        self.at = self.at or time.perf_counter()
        self.told(event)


def _with_needs(chosen: Sequence[Run], runs: Sequence[Run]) -> list[Run]:
    by_id = {run.id: run for run in runs}
    wanted, asked = dict.fromkeys(run.id for run in chosen), [run.id for run in chosen]
    while asked:
        fresh = [need for need in by_id[asked.pop()].needs if need not in wanted]
        wanted |= dict.fromkeys(fresh)
        asked += fresh
    return [run for run in runs if run.id in wanted]


def _execute(runs: Sequence[Run], folder: Path, hands: Hands, told: Callable[[Mapping[str, Any]], None]) -> None:
    for run in runs:
        write_json(folder / run.id / "config.json", {**run.config, "train": _short(run.config["train"])})
    queue = TaskQueue([Task(run.id, str(folder / run.id), run.needs) for run in runs], fail_fast=True, told=told)
    executor = hands.catalogue.build("executor", Part("local"), jobs=hands.jobs, device=hands.device)
    executor.execute(queue, told)


def _short(train: Mapping[str, Any]) -> dict[str, Any]:
    steps = min(STEPS, train["steps"]) if train.get("steps") is not None else STEPS
    return {**train, "steps": steps, "epochs": None, "log_every": LOGGED, "dev_every": CHECKED}


def _measured(run: Run, folder: Path) -> Measure:
    record = read_record(folder)
    if record is None or record.status != "done":
        raise DataError(f"the probe of {run.id} failed: {'no record' if record is None else record.error}")
    measure = replace(of_record(record, folder), source="probe")
    pace = _pace(read_steps(folder))
    if pace is None or measure.step is None:
        return measure
    # What training took beyond its steps' pace is the price of its first ones, paid once however long it goes on.
    once = max(0.0, record.seconds["train"] - pace * _steps(record))
    return replace(measure, step=pace, prepare=measure.prepare + once)


def _steps(record: Record) -> int:
    return int(record.extra.get("steps") or 0)


def _pace(lines: Sequence[Mapping[str, Any]]) -> float | None:
    """Seconds a step between logged ones, without those before the first and those with a dev check between."""
    logged = [line for line in lines if line["step"] % LOGGED == 0]
    spans = [(a, b) for a, b in pairwise(logged) if a["step"] % CHECKED]
    steps = sum(b["step"] - a["step"] for a, b in spans)
    return sum(b["seconds"] - a["seconds"] for a, b in spans) / steps if steps else None
