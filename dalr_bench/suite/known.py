"""What is known of a plan's runs before they are run: their states, and what runs like them took."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dalr_bench.plugin.registry import Catalogue
from dalr_bench.record.environment import ran_on, this_device
from dalr_bench.record.record import Record
from dalr_bench.record.store import read_record
from dalr_bench.suite.estimate import Known, State
from dalr_bench.suite.measures import Measure, of_record, probed, recorded, strange_folders, typical
from dalr_bench.suite.model import seconds_a_step
from dalr_bench.suite.plan import Plan
from dalr_bench.suite.shape import shape_of
from dalr_bench.types import Run

# What a worker needs before its first run, kept among the probes.
START = "start"


@dataclass
class Past:
    """A plan against its results folder. Everything is read from the run folders and the cache, nothing is kept."""

    plan: Plan
    folder: Path
    catalogue: Catalogue
    device: Mapping[str, Any] = field(default_factory=this_device)

    def __post_init__(self) -> None:
        there = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()
        found = {run.id: read_record(self.folder / run.id) for run in self.plan.runs if run.id in there}
        self.records: dict[str, Record] = {run: record for run, record in found.items() if record is not None}
        self.shapes = shapes_of(self.plan.runs, self.catalogue)

    @property
    def states(self) -> dict[str, State]:
        """done, failed or missing, by run."""
        return {run.id: self._state(run.id) for run in self.plan.runs}

    def _state(self, run_id: str) -> State:
        record = self.records.get(run_id)
        return "missing" if record is None else "done" if record.status == "done" else "failed"

    def known(self) -> Known:
        """Measures of every shape of the plan, from records of this suite, else of others, else from probes."""
        took = {run: seconds for run, record in self.records.items() if (seconds := _total(record))}
        measures = self._own()
        missing = {self.shapes[run.id] for run in self.plan.runs} - set(measures)
        if missing:
            strange = strange_folders(self.folder.parent, self.folder)
            found = recorded(strange, lambda _, record: record.extra.get("shape"), self.device)
            measures |= {shape: typical(each) for shape, each in found.items() if shape in missing}
        for shape in missing - set(measures):
            measure = probed(self.device, shape)
            measures |= {} if measure is None else {shape: measure}
        modelled = {} if measures else seconds_a_step(self.plan.runs, self.catalogue, self.device)
        return Known(measures, self.shapes, took, modelled)

    def _own(self) -> dict[str, Measure]:
        found: dict[str, list[Measure]] = {}
        for run, record in self.records.items():
            if _total(record) and "origin" not in record.extra and self._here(record):
                found.setdefault(self.shapes[run], []).append(of_record(record, self.folder / run))
        return {shape: typical(each) for shape, each in found.items()}

    def _here(self, record: Record) -> bool:
        """A record that does not say where it was made is taken to be of this machine."""
        return "cpu" not in record.environment or ran_on(record.environment, self.device)

    @property
    def start(self) -> float:
        """Seconds a worker needs before its first run; 0 where no probe told."""
        found = probed(self.device, START)
        return found.prepare if found else 0.0

    def unmeasured(self) -> list[Run]:
        """The first run of every shape of which nothing is known."""
        known = self.known().measures
        first: dict[str, Run] = {}
        for run in self.plan.runs:
            first.setdefault(self.shapes[run.id], run)
        return [run for shape, run in first.items() if shape not in known]


def shapes_of(runs: Sequence[Run], catalogue: Catalogue) -> dict[str, str]:
    """Run id → shape. Runs that differ by seed alone share the parts of their configs, so each config is hashed once."""
    known: dict[tuple[int, ...], str] = {}
    out = {}
    for run in runs:
        key = tuple(id(value) for name, value in run.config.items() if name not in ("axes", "seed", "needs", "variant"))
        if key not in known:
            known[key] = shape_of(run.config, catalogue)
        out[run.id] = known[key]
    return out


def workers(jobs: int | None) -> int:
    """How many runs the local executor has at once on a machine without GPUs."""
    return jobs or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _total(record: Record) -> float | None:
    if record.status != "done" or not record.seconds:
        return None
    return record.seconds.get("total", sum(record.seconds.values()))
