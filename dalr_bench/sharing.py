"""Equal cells of different suites are one run: what another suite under the same results folder has computed is taken over."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from dalr_bench.errors import DataError
from dalr_bench.orphans import sweep, temporary
from dalr_bench.record.files import write_json
from dalr_bench.record.lease import holder
from dalr_bench.record.record import Record
from dalr_bench.record.retention import needed_runs, tidy
from dalr_bench.record.store import CONFIG, RECORD, read_config, read_record
from dalr_bench.suite.plan import Plan
from dalr_bench.types import Run

# Large files are linked where the file system can: nothing of a run is ever changed in place.
_LARGE_BYTES = 1 << 20
_OWN = frozenset({CONFIG, RECORD, "events.jsonl", "retries.json", "execution.json", "checkpoints", "error.txt"})


def take_over(plan: Plan, folder: Path, told: Mapping[str, Mapping[str, Any]], retain: str = "best") -> list[Run]:
    """Copy finished runs of other suites that are runs of this plan; returns those that were. Equal identities are equal
    runs, whatever their suite and variant are called. A copy's record says where it is from (`origin`).

    `told` is what each run's config says beside its options. Who keeps weights takes over no run that has none.
    """
    wanted = {plan.identities[run.id]: run for run in plan.runs if _is_open(folder / run.id)}
    needed = {need for run in plan.runs for need in run.needs}
    taken: dict[str, Run] = {}
    ends = {run.id.rpartition("-")[2] for run in wanted.values()}
    for source in _strangers(folder, ends) if wanted else ():
        record = _finished(source)
        run = None if record is None else wanted.get(str(record.extra.get("identity")))
        if record is None or run is None or plan.identities[run.id] in taken:
            continue
        if (retain == "none" and run.id not in needed) or _has_weights(source):
            _adopt(source, record, folder / run.id, {**run.config, **told.get(run.id, {})})
            taken[plan.identities[run.id]] = run
    return list(taken.values())


def take_over_one(folder: Path, retain: str = "best") -> Record | None:
    """`take_over` for the run of one folder, by its lease's holder: what another suite has finished since the plan was made."""
    weightless = retain == "none" and folder.name not in needed_runs(folder.parent)
    for source in twins(folder):
        record = _finished(source)
        if record is None or not (weightless or _has_weights(source)):
            continue
        with suppress(FileNotFoundError):  # somebody removed it meanwhile
            sweep(folder)
            filed = _adopt(source, record, folder, read_config(folder))
            tidy(folder, retain)
            return filed
    return None


def twins(folder: Path) -> Iterator[Path]:
    """The folders of equal runs of other suites, in whatever state; none for a folder whose config tells no identity."""
    identity = _identity(folder)
    for path in _strangers(folder.parent, {folder.name.rpartition("-")[2]}) if identity else ():
        if _identity(path) == identity:
            yield path


def at_work(folder: Path) -> Path | None:
    """An equal run of another suite that a process is at now: of several the first by name."""
    return min((path for path in twins(folder) if holder(path) is not None), key=place, default=None)


def place(folder: Path) -> tuple[str, ...]:
    """By this all hosts order run folders, wherever each has the results mounted."""
    return folder.parts[-2:]


def _identity(folder: Path) -> str | None:
    try:
        found = read_config(folder).get("identity")
    except (DataError, OSError):
        return None
    return found if isinstance(found, str) else None


def _is_open(folder: Path) -> bool:
    """Whether a run is neither done nor somebody's work right now."""
    record = read_record(folder)
    return (record is None or record.status != "done") and (not folder.is_dir() or holder(folder) is None)


def _finished(folder: Path) -> Record | None:
    record = read_record(folder)
    return record if record is not None and record.status == "done" else None


def _has_weights(folder: Path) -> bool:
    return any(folder.glob("*.safetensors"))


def _strangers(folder: Path, ends: Collection[str]) -> Iterator[Path]:
    """Run folders of other suites beside this one. The names of equal runs end in the same part of their identity."""
    for suite in _folders(folder.parent):
        if suite.name != folder.name:
            yield from _folders(suite, ends)


def _folders(folder: Path, ends: Collection[str] | None = None) -> Sequence[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except OSError:
        return ()
    return [folder / name for name in sorted(names) if ends is None or name.rpartition("-")[2] in ends]


def _adopt(source: Path, record: Record, target: Path, config: Mapping[str, Any]) -> Record:
    """Copy a finished run to the folder of the one of that config. The record comes last, so half a copy is no run."""
    _copy(source, target)
    write_json(target / CONFIG, dict(config))
    origin = record.extra.get("origin") or {"suite": record.suite, "run_id": record.run_id}
    named: dict[str, Any] = {key: config[key] for key in ("suite", "variant", "axes")}
    filed = replace(record, run_id=target.name, **named, extra={**record.extra, "origin": origin})
    write_json(target / RECORD, filed.to_json())
    return filed


def _copy(source: Path, target: Path) -> None:
    """All files but those that are of one place and one attempt."""
    for old in (RECORD, "error.txt"):
        (target / old).unlink(missing_ok=True)
    for inside, folders, names in os.walk(source):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _OWN]
        place = target / os.path.relpath(inside, source)
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            if name not in _OWN and not name.startswith((".", "lease")):
                _bring(Path(inside) / name, place / name)


def _bring(source: Path, target: Path) -> None:
    with temporary(target) as part:
        try:
            if source.stat().st_size < _LARGE_BYTES:
                raise OSError
            os.link(source, part)
        except OSError:
            shutil.copyfile(source, part)
        part.replace(target)
