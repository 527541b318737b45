"""Equal cells of different suites are one run: what another suite under the same results folder has computed is taken over."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dalr_bench.record.files import write_json
from dalr_bench.record.lease import holder
from dalr_bench.record.record import Record
from dalr_bench.record.store import CONFIG, RECORD, read_record
from dalr_bench.suite.plan import Plan
from dalr_bench.types import Run

# Large files are linked where the file system can: nothing of a run is ever changed in place.
_LARGE_BYTES = 1 << 20
_OWN = frozenset({CONFIG, RECORD, "events.jsonl", "retries.json", "execution.json", "checkpoints", "error.txt"})


def take_over(plan: Plan, folder: Path, told: Mapping[str, Mapping[str, Any]]) -> list[Run]:
    """Copy finished runs of other suites that are runs of this plan; returns those that were. Equal identities are equal
    runs, whatever their suite and variant are called. A copy's record says where it is from (`origin`).

    `told` is what each run's config says beside its options.
    """
    wanted = {plan.identities[run.id]: run for run in plan.runs if _is_open(folder / run.id)}
    needed = {need for run in plan.runs for need in run.needs}
    taken: dict[str, Run] = {}
    for source, record in _equal(folder, wanted) if wanted else ():
        identity = str(record.extra["identity"])
        run = wanted[identity]
        if identity in taken or (run.id in needed and not any(source.glob("*.safetensors"))):
            continue
        _copy(source, folder / run.id)
        write_json(folder / run.id / CONFIG, {**run.config, **told.get(run.id, {})})
        origin = record.extra.get("origin") or {"suite": record.suite, "run_id": record.run_id}
        named: dict[str, Any] = {"run_id": run.id, "suite": run.suite, "variant": run.variant, "axes": run.axes}
        filed = replace(record, **named, extra={**record.extra, "origin": origin})
        write_json(folder / run.id / RECORD, filed.to_json())
        taken[identity] = run
    return list(taken.values())


def _is_open(folder: Path) -> bool:
    """Whether a run is neither done nor somebody's work right now."""
    record = read_record(folder)
    return (record is None or record.status != "done") and (not folder.is_dir() or holder(folder) is None)


def _equal(folder: Path, wanted: Mapping[str, Run]) -> Iterator[tuple[Path, Record]]:
    """Finished runs of other suites whose identity is wanted. Their names end in a part of it."""
    ends = {run.id.rpartition("-")[2] for run in wanted.values()}
    for path in _strangers(folder):
        if path.name.rpartition("-")[2] in ends:
            record = read_record(path)
            if record is not None and record.status == "done" and record.extra.get("identity") in wanted:
                yield path, record


def _strangers(folder: Path) -> Iterator[Path]:
    for suite in _folders(folder.parent):
        if suite != folder:
            yield from _folders(suite)


def _folders(folder: Path) -> Sequence[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(folder / entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return ()


def _copy(source: Path, target: Path) -> None:
    """All files but those that are of one place and one attempt. The record comes last, so half a copy is no run."""
    (target / RECORD).unlink(missing_ok=True)
    for inside, folders, names in os.walk(source):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _OWN]
        place = target / os.path.relpath(inside, source)
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            if name not in _OWN and not name.startswith((".", "lease")):
                _bring(Path(inside) / name, place / name)


def _bring(source: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if source.stat().st_size < _LARGE_BYTES:
            raise OSError
        os.link(source, part)
    except OSError:
        shutil.copyfile(source, part)
    part.replace(target)
