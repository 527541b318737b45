"""The run folders of a plan before its first run starts: configs are written, leftovers go, room is looked for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dalr_bench.errors import counted
from dalr_bench.orphans import sweep
from dalr_bench.record.files import load_json, write_json, write_text
from dalr_bench.record.lease import holder, leases
from dalr_bench.record.retention import WEIGHTS, needed_runs, tidy
from dalr_bench.record.space import amount, free_bytes
from dalr_bench.record.store import CONFIG, RECORD, claim, read_record

if TYPE_CHECKING:
    from dalr_bench.suite import Plan
    from dalr_bench.types import Run

Told = Mapping[str, Mapping[str, Any]]
_COPIES = 2  # the weights by themselves, and as a model folder


def lay_out(plan: Plan, whole: Plan, folder: Path, retain: str = "best", told: Told = MappingProxyType({})) -> list[Run]:
    """Write the suite's summary and the config of every run that is not done; return those runs.

    A run that is done and whose weights were not kept (`--retain none`) is not done where one that is left needs them.
    `told` is what a config says of its run beside its options: identity, shape, estimate.
    """
    from dalr_bench.suite import origins
    from dalr_bench.suite.tree import plain, show
    from dalr_bench.suite.written import written

    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder, deep=False)
    needed = needed_runs(folder) | {need for run in whole.runs for need in run.needs}
    write_json(folder / "suite.json", {**whole.to_json(), "needed": sorted(needed)})
    write_json(folder / "origins.json", origins(whole))
    heading = f"As it was run last, all in one: {show(whole.suite.file)}"
    write_text(folder / "suite.yaml", written(plain(whole.suite.tree), heading))
    todo = _todo(plan, folder)
    for run in plan.runs:
        if run in todo:
            claim(folder / run.id)
            _write_config(folder / run.id, {**run.config, **told.get(run.id, {})})
        else:
            _finish_tidying(folder / run.id, retain)
    return todo


def room(folder: Path, done: Sequence[Run], todo: Sequence[Run]) -> str | None:
    """A line where what is left to do would not fit the disk, going by the weights of the runs that are done; else None."""
    sizes = [(folder / run.id / WEIGHTS).stat().st_size for run in done if (folder / run.id / WEIGHTS).is_file()]
    needed = int(_COPIES * median(sizes) * len(todo)) if sizes else 0
    free = free_bytes(folder)
    if needed <= free:
        return None
    return f"{counted(len(todo), 'run')} will leave about {amount(needed)}, {amount(free)} are free (--retain none keeps no weights)"


def _todo(plan: Plan, folder: Path) -> list[Run]:
    records = {run.id: read_record(folder / run.id) for run in plan.runs}
    left = {run.id for run in plan.runs if (found := records[run.id]) is None or found.status != "done"}
    for run in reversed(plan.runs):  # whoever is needed comes before those that need it
        if run.id in left:
            left |= {need for need in run.needs if not (folder / need / WEIGHTS).is_file()}
    for run in plan.runs:
        if run.id in left and (found := records[run.id]) is not None and found.status == "done":
            (folder / run.id / RECORD).unlink(missing_ok=True)
    return [run for run in plan.runs if run.id in left]


def _write_config(place: Path, config: Mapping[str, Any]) -> None:
    """Another estimate alone is no reason to write: somebody may be at the run."""
    try:
        if {**load_json(place / CONFIG), "estimate": None} == {**config, "estimate": None}:
            return
    except (OSError, ValueError, TypeError):
        pass
    write_json(place / CONFIG, dict(config))


def _finish_tidying(place: Path, retain: str) -> None:
    """A process that was killed right after it wrote the record left its lease, and what it would have removed next."""
    left = any(name.endswith(".part") or name.startswith("lease-") for name in os.listdir(place))
    if left and holder(place) is None:
        sweep(place)
        tidy(place, retain)
        for path in leases(place):
            path.unlink(missing_ok=True)
