"""All results of one suite: its summary and every record, read from the run folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dalr_bench.errors import DataError, Fault
from dalr_bench.record.files import load_json, write_json
from dalr_bench.record.record import Record
from dalr_bench.record.store import RECORD, read_record, state
from dalr_bench.record.summary import Place, Summary
from dalr_bench.record.waiting import Blockers, told
from dalr_bench.types import Score

SUITE = "suite.json"
_UNFINISHED = {
    "running": "a process is at it",
    "stale": "its process is gone, `run` goes on with it",
    "interrupted": "it was asked to leave, `run` goes on with it",
}


@dataclass(frozen=True)
class Results:
    """All that one suite's results folder holds: its summary and its records by run id."""

    folder: Path
    summary: Summary
    records: Mapping[str, Record] = field(default_factory=dict)


@dataclass(frozen=True)
class Unfinished:
    """A run without a record that began, or that a failed one keeps from beginning: `status` is what its folder shows
    (or "not run"), `error` what that means."""

    status: str
    error: str
    scores: Sequence[Score] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    spent: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def outcomes(results: Results) -> dict[str, Record | Unfinished]:
    """What a table says of each run that began: its record, else why there is none yet; and of those that a failed run
    keeps from beginning, which one."""
    out: dict[str, Record | Unfinished] = dict(results.records)
    blockers = Blockers(results.folder, results.records)
    for run in dict.fromkeys(cell.run_id for cell in results.summary.cells):
        if run not in out and (folder := results.folder / run).is_dir():
            shown = state(folder)
            if shown in _UNFINISHED:
                out[run] = Unfinished(shown, _UNFINISHED[shown])
            elif failed := blockers.of(run):
                out[run] = Unfinished("not run", told(failed))
    return out


def write_summary(folder: str | Path, summary: Summary) -> None:
    """`suite.json` of a results folder."""
    write_json(Path(folder) / SUITE, summary.to_json())


def read_results(folder: str | Path) -> Results:
    """Everything of one suite. `folder` is `results/<suite>`, or `results` where it holds one suite only.

    Without `suite.json` the cells are those the records name. Raises DataError where there is nothing to read.
    """
    place = suite_folder(Path(folder))
    records = {path.name: found for path in _subfolders(place) if (found := read_record(path)) is not None}
    path = place / SUITE
    try:
        summary = Summary.from_json(load_json(path))
    except FileNotFoundError:
        summary = _summary_of(place.name, records)
    except ValueError as error:
        raise DataError(Fault(str(error), file=str(path))) from None
    return Results(place, summary, records)


def suite_folder(folder: Path) -> Path:
    """The one suite's folder that is meant. Raises DataError: no such folder, no results, or several suites."""
    if not folder.is_dir():
        raise DataError(Fault("there is no such results folder; `dalr-bench run SUITE` makes one", file=str(folder)))
    if _is_suite(folder):
        return folder
    suites = [path for path in _subfolders(folder) if _is_suite(path)]
    if not suites:
        raise DataError(Fault("no results: neither suite.json nor a run folder with record.json", file=str(folder)))
    if len(suites) > 1:
        names = ", ".join(path.name for path in suites)
        raise DataError(Fault(f"several suites are here, name one of them: {names}", file=str(folder)))
    return suites[0]


def _is_suite(folder: Path) -> bool:
    return (folder / SUITE).is_file() or any((path / RECORD).is_file() for path in _subfolders(folder))


def _subfolders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return sorted(folder / entry.name for entry in entries if _is_folder(entry))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """A link that leads round in a circle is none, and a name that cannot be printed is none of ours."""
    try:
        return entry.is_dir() and not entry.name.startswith(".") and entry.name.isprintable()
    except OSError:
        return False


def _summary_of(name: str, records: Mapping[str, Record]) -> Summary:
    known = [record for record in records.values() if record.status != "damaged"]
    axes: dict[str, list[str]] = {}
    for record in known:
        for axis, label in record.axes.items():
            if label not in axes.setdefault(axis, []):
                axes[axis].append(label)
    cells = tuple(Place(r.variant, r.seed, r.run_id, r.axes) for r in known)
    variants = tuple(dict.fromkeys(record.variant for record in known))
    return Summary(suite=known[0].suite if known else name, variants=variants, axes=axes, cells=cells)
