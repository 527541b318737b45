"""Which run a cell of the table is, and what its folder holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dalr_bench.errors import DataError, Fault, SuiteError, nearest
from dalr_bench.record.record import Record
from dalr_bench.record.results import Results, read_results
from dalr_bench.record.store import read_config
from dalr_bench.record.summary import Place


@dataclass(frozen=True)
class Cell:
    """One finished run of a results folder. `siblings` are the finished records of the same cell at every seed."""

    results: Results
    place: Place
    folder: Path
    config: Mapping[str, Any]
    record: Record
    siblings: tuple[Record, ...]


def pick(results: str | Path, variant: str, seed: int | None, axes: Mapping[str, str]) -> Cell:
    """The cell of a variant. Of several seeds it is the suite's first unless one is named.

    That rule looks at no score, so the published model is no winner of the test set.

    Raises SuiteError (no such variant, seed or axis value; several cells fit) and DataError (the run is not done).
    """
    found = read_results(results)
    known = list(dict.fromkeys(place.variant for place in found.summary.cells))
    if variant not in known:
        raise SuiteError(f"no variant is called '{variant}'. {nearest(variant, known)}")
    places = [place for place in found.summary.cells if place.variant == variant]
    places = _on_axes(places, axes)
    seeds = list(dict.fromkeys(place.seed for place in places))
    if seed is not None and seed not in seeds:
        raise SuiteError(f"--seed {seed}: '{variant}' has no such seed. {nearest(str(seed), map(str, seeds))}")
    chosen = next(place for place in places if place.seed == (seeds[0] if seed is None else seed))
    records = [found.records.get(run_id) for run_id in dict.fromkeys(place.run_id for place in places)]
    siblings = tuple(record for record in records if record is not None and record.status == "done")
    return Cell(found, chosen, found.folder / chosen.run_id, *finished(found, chosen.run_id), siblings)


def finished(results: Results, run_id: str) -> tuple[Mapping[str, Any], Record]:
    """Config and record of a run that is done. Raises DataError where it is not."""
    record = results.records.get(run_id)
    if record is None or record.status != "done":
        state = "was not run" if record is None else record.status
        why = f": {record.error}" if record is not None and record.error else ""
        raise DataError(Fault(f"this run is not done ({state}{why}); `dalr-bench run` does it", file=run_id))
    return read_config(results.folder / run_id), record


def _on_axes(places: list[Place], axes: Mapping[str, str]) -> list[Place]:
    """The places at these axis values; all that is left open must be the same for all of them."""
    for name, label in axes.items():
        values = list(dict.fromkeys(place.axes[name] for place in places if name in place.axes))
        if not values:
            every = {axis for place in places for axis in place.axes}
            raise SuiteError(f"--axis {name}={label}: there is no such axis. {nearest(name, every)}")
        if label not in values:
            raise SuiteError(f"--axis {name}={label}: there is no such value. {nearest(label, values)}")
        places = [place for place in places if place.axes.get(name) == label]
    combinations = list(dict.fromkeys(tuple(sorted(place.axes.items())) for place in places))
    if len(combinations) > 1:
        told = "; ".join(" ".join(f"--axis {name}={label}" for name, label in one) for one in combinations)
        raise SuiteError(f"several cells of '{places[0].variant}' differ by axis; name one: {told}")
    return places
