"""Run folders, read for the report: every run the suite names, and those it names no more."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dalr_bench.errors import DataError
from dalr_bench.record.files import load_json
from dalr_bench.record.record import Record
from dalr_bench.record.results import Results
from dalr_bench.record.steps import read_steps
from dalr_bench.record.store import read_config, state
from dalr_bench.record.summary import Place, Summary
from dalr_bench.record.waiting import Blockers, told
from dalr_bench.report.model import Role, Run
from dalr_bench.table.found import group_label
from dalr_bench.table.notes import clean


def read_runs(results: Results) -> list[Run]:
    """Runs in the order of the suite's cells, then what else lies there. A damaged log or config is left out."""
    places: dict[str, list[Place]] = {}
    for cell in results.summary.cells:
        places.setdefault(cell.run_id, []).append(cell)
    known = [_run(results, run_id, cells) for run_id, cells in places.items()]
    where, blockers = _origins(results.folder), Blockers(results.folder, results.records)
    known = [replace(_told(run, blockers), origins=where.get(run.id)) for run in known]
    strays = [record for run_id, record in results.records.items() if run_id not in places]
    return known + [_stray(results, record) for record in strays]


def _told(run: Run, blockers: Blockers) -> Run:
    """A run that waits for a failed one says so."""
    failed = blockers.of(run.id) if run.state == "missing" else ()
    return replace(run, error=clean(told(failed))) if failed else run


def _run(results: Results, run_id: str, cells: Sequence[Place]) -> Run:
    record = results.records.get(run_id)
    groups = tuple(dict.fromkeys(group_label(cell.axes) for cell in cells))
    role = _role(cells[0].variant, results.summary)
    return _read(results.folder / run_id, Run(run_id, clean(cells[0].variant), cells[0].seed, groups, role, ""), record)


def _stray(results: Results, record: Record) -> Run:
    name = clean(record.variant) or record.run_id
    run = Run(record.run_id, name, record.seed, (group_label(record.axes),), "stray", "")
    return _read(results.folder / record.run_id, run, record)


def _read(folder: Path, run: Run, record: Record | None) -> Run:
    error = clean(record.error or "") if record is not None else ""
    config, files = _config(folder), _files(folder)
    steps = tuple(read_steps(folder))
    return Run(
        run.id, run.variant, run.seed, run.groups, run.role, state(folder, record), error, record, config, steps, files
    )


def _role(variant: str, summary: Summary) -> Role:
    return "support" if variant in summary.support else "floor" if variant in summary.floors else "row"


def _config(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = _finite(read_config(folder))
        return found
    except DataError:
        return None


def _finite(value: Any) -> Any:
    """Without infinity, which a number like 1e999 is read as and JSON cannot say."""
    if isinstance(value, dict):
        return {key: _finite(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_finite(child) for child in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _origins(folder: Path) -> dict[str, Mapping[str, str]]:
    """Run id → where its values were written, from what `run` left beside `suite.json`; nothing where it cannot be read."""
    try:
        document = load_json(folder / "origins.json")
        sets = [{str(path): str(origin) for path, origin in each.items()} for each in document["origins"]]
        return {str(run): sets[number] for run, number in document["runs"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def _files(folder: Path) -> tuple[str, ...]:
    """What lies in a run folder; folders end in a slash. Hidden names are nobody's business, and
    what cannot be printed is none of ours."""
    try:
        with os.scandir(folder) as entries:
            found = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries]
    except OSError:
        return ()
    return tuple(sorted(name for name in found if not name.startswith(".") and name.isprintable()))
