"""A bundle read with suspicion: its plan, which is run like any suite's, and how the scores compare afterwards."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from dalr_bench.errors import DataError, Fault, SuiteError, counted
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.publish.archive import read_archive
from dalr_bench.publish.bundle import MANIFEST, SCHEMA, SUITE
from dalr_bench.publish.data_paths import parts_of, paths_of
from dalr_bench.record.record import Record, take
from dalr_bench.suite import expand
from dalr_bench.suite.fingerprint import fingerprint
from dalr_bench.suite.load import Suite
from dalr_bench.suite.plan import Plan
from dalr_bench.suite.read import read
from dalr_bench.types import Run

# Options by which a part would run or unpickle what a repository brings along.
_DOORS = ("trust_remote_code", "allow_pickle")
_ID = re.compile(r"[A-Za-z0-9+_=-][A-Za-z0-9+._=-]*")


@dataclass(frozen=True)
class Replay:
    """What a bundle comes to here. `renamed` are runs whose identity differs from the bundle's: id there → id here."""

    run_id: str
    plan: Plan
    records: Mapping[str, Record]
    renamed: Mapping[str, str]

    @property
    def here(self) -> str:
        """The id the bundled run has here."""
        return self.renamed.get(self.run_id, self.run_id)


def is_bundle(path: str) -> bool:
    """Whether a path given for a suite means a bundle."""
    return path.lower().endswith(".zip")


def replay(path: Path, catalogue: Catalogue) -> Replay:
    """Read a bundle and plan it.

    Raises DataError (no sound bundle; data missing or of other content, named with its fingerprint), SuiteError (a part
    that would run a repository's code, an unknown option), PluginError (a component that is not installed here).
    """
    members = read_archive(path)
    manifest = _manifest(path, members)
    data = _check_data(path, manifest["data"])
    plan = expand(_suite(path, members), catalogue)
    _check_parts(path, plan, data, catalogue)
    there, renamed = _as_there(plan, manifest["runs"])
    return Replay(manifest["run_id"], there, dict(_records(path, members, manifest["runs"])), renamed)


def compared(there: Record | None, here: Record | None) -> str:
    """One line: whether the scores are the bundle's, else the largest difference."""
    if there is None or here is None or here.status != "done":
        return "nothing to compare: the bundle or this run has no scores"
    known = {_key(score): score.value for score in here.scores}
    shared = [(score.value, known[_key(score)]) for score in there.scores if _key(score) in known]
    missing = len(there.scores) - len(shared)
    tail = f"; {missing} of the bundle's scores were not made here" if missing else ""
    apart = max((abs(first - second) for first, second in shared), default=0.0)
    same = there.extra.get("weights") == here.extra.get("weights")
    weights = "the same weights" if same else "other weights"
    if not apart:
        return f"{weights}; all {len(shared)} scores equal the bundle's{tail}"
    return f"{weights}; the largest difference of {counted(len(shared), 'score')} is {apart:.3g}{tail}"


def differences(there: Record | None, here: Mapping[str, Any]) -> list[str]:
    """What is installed here in another version than where the bundled run ran: `torch 2.13.0, here 2.14.0`."""
    before = there.environment if there is not None else {}
    out = []
    for section in ("libraries", "plugins"):
        first, second = before.get(section) or {}, here.get(section) or {}
        out += [f"{name} {first[name]}, here {second.get(name)}" for name in first if first[name] != second.get(name)]
    return out


def _key(score: Any) -> tuple[Any, ...]:
    return score.task, score.metric, score.split, score.aggregation


# ------------------------------------------------------------------ reading
def _manifest(path: Path, members: Mapping[str, bytes]) -> dict[str, Any]:
    document = _document(path, members, MANIFEST)
    if document.get("schema") != SCHEMA:
        raise _unsound(path, f"schema {document.get('schema')!r} is unknown here; this version reads {SCHEMA}")
    try:
        runs = [_typed(item, run_id=str, variant=str, seed=int, axes=dict) for item in take(document, "runs", list)]
        data = [_typed(item, path=str, fingerprint=str) for item in take(document, "data", list)]
        run_id = take(document, "run_id", str)
        if run_id not in [item["run_id"] for item in runs]:
            raise ValueError(f"`run_id` is none of `runs`: {run_id!r}")
        for item in runs:
            if not _ID.fullmatch(item["run_id"]):
                raise ValueError(f"no run is called {item['run_id']!r}")
        for item in data:
            if PurePosixPath(item["path"]).is_absolute() or ".." in item["path"].split("/") or "\\" in item["path"]:
                raise ValueError(f"data is named from the bundle's folder down, not {item['path']!r}")
    except ValueError as error:
        raise _unsound(path, str(error)) from None
    return {"run_id": run_id, "runs": runs, "data": data}


def _typed(item: Any, **kinds: type) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise ValueError(f"expected an object, not {item!r}")
    return {key: take(item, key, kind) for key, kind in kinds.items()}


def _document(path: Path, members: Mapping[str, bytes], name: str) -> dict[str, Any]:
    if name not in members:
        raise _unsound(path, f"it has no {name}")
    try:
        document = json.loads(members[name])
    except (ValueError, RecursionError) as error:
        raise _unsound(path, f"{name} is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise _unsound(path, f"{name} is no object")
    return document


def _suite(path: Path, members: Mapping[str, bytes]) -> Suite:
    if SUITE not in members:
        raise _unsound(path, f"it has no {SUITE}")
    tree, faults = read(members[SUITE], str(path))
    if not tree.is_map or {"extends", "smoke"} & set(tree.entries):
        raise _unsound(path, f"{SUITE} is no suite that stands alone")
    name = tree.entries["suite"].value if "suite" in tree.entries else ""
    return Suite(name if isinstance(name, str) else "", "", str(path), tree, False, tuple(faults))


def _records(
    path: Path, members: Mapping[str, bytes], runs: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, Record]]:
    for item in runs:
        name = f"runs/{item['run_id']}/record.json"
        if name in members:
            try:
                yield item["run_id"], Record.from_json(_document(path, members, name))
            except ValueError as error:
                raise _unsound(path, f"{name}: {error}") from None


# ------------------------------------------------------------------ checking
def _check_parts(path: Path, plan: Plan, data: set[str], catalogue: Catalogue) -> None:
    """Before anything is built: no part opens a door, and no file is read but the data that was checked."""
    for run in plan.runs:
        for place, _, entry in parts_of(run.config):
            opened = [door for door in _DOORS if entry["options"].get(door)]
            if opened:
                what = f"asks for {opened[0]}, which a stranger's bundle may not; unpack its {SUITE} and run that"
                raise SuiteError(Fault(what, path=place, file=str(path)))
        other = [one for one in paths_of(run.config, catalogue) if one not in data]
        if other:
            raise _unsound(path, f"its suite names '{other[0]}', which is none of the bundle's data")


def _check_data(path: Path, data: Sequence[Mapping[str, str]]) -> set[str]:
    """Where the data lies here; looked for as a suite beside the bundle would."""
    faults = []
    places: set[str] = set()
    bases = [path.parent, *(Path(base) for base in (os.environ.get("DALR_BENCH_DATA"), os.getcwd()) if base)]
    for item in data:
        found = next((base / item["path"] for base in bases if (base / item["path"]).exists()), None)
        known = item["fingerprint"]
        if found is None:
            what = (
                f"data '{item['path']}' is missing (content {known}); put it beside the bundle or below DALR_BENCH_DATA"
            )
            faults.append(Fault(what, file=str(path)))
        elif (content := fingerprint(found)) != known:
            what = f"data '{item['path']}' has other content than the bundle's run: {content}, not {known}"
            faults.append(Fault(what, file=str(path)))
        else:
            places.add(os.path.abspath(found))
    if faults:
        raise DataError(faults)
    return places


def _as_there(plan: Plan, runs: Sequence[Mapping[str, Any]]) -> tuple[Plan, dict[str, str]]:
    """The plan under the names and axes of the bundle's runs, where the identity (the end of an id) is the same."""
    there = {(item["variant"], item["seed"]): item for item in runs}
    ids: dict[str, str] = {}
    axes: dict[str, Mapping[str, str]] = {}
    renamed: dict[str, str] = {}
    for run in plan.runs:
        item = there.get((run.variant, run.seed))
        same = item is not None and item["run_id"].rpartition("-")[2] == run.id.rpartition("-")[2]
        ids[run.id] = item["run_id"] if item is not None and same else run.id
        axes[run.id] = {str(key): str(value) for key, value in item["axes"].items()} if item is not None else {}
        if item is not None and not same:
            renamed[item["run_id"]] = run.id
    made = tuple(_renamed(run, ids, axes[run.id]) for run in plan.runs)
    cells = tuple(replace(cell, run=ids[cell.run], axes=axes[cell.run]) for cell in plan.cells)
    names = {name: [label] for cell in cells for name, label in cell.axes.items()}
    identities = {ids[one]: identity for one, identity in plan.identities.items()}
    return replace(plan, runs=made, cells=cells, axes=names, identities=identities), renamed


def _renamed(run: Run, ids: Mapping[str, str], axes: Mapping[str, str]) -> Run:
    needs = [{**need, "run_id": ids[need["run_id"]]} for need in run.config["needs"]]
    config = {**run.config, "axes": dict(axes), "needs": needs}
    return replace(run, id=ids[run.id], axes=axes, config=config, needs=tuple(ids[one] for one in run.needs))


def _unsound(path: Path, what: str) -> DataError:
    return DataError(Fault(f"not a bundle of this kind: {what}", file=str(path)))
