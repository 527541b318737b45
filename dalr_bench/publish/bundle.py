"""A finished run as one file: a suite of it and of the runs it needs, configs, records, what was installed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dalr_bench.errors import DataError, Fault, SuiteError, nearest
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.publish.archive import write_archive
from dalr_bench.publish.cell import finished
from dalr_bench.publish.data_paths import paths_of, portable, replaced
from dalr_bench.publish.lock import lock
from dalr_bench.record.results import Results, read_results
from dalr_bench.record.store import read_config, read_record
from dalr_bench.suite.fingerprint import fingerprint
from dalr_bench.suite.written import written

SCHEMA = 1
MANIFEST, SUITE, ORIGINAL, LOCK = "bundle.json", "suite.yaml", "original.yaml", "environment.txt"
_HEADING = """One run and what it needs, made by `dalr-bench bundle`. Every value is written out.
`dalr-bench run BUNDLE.zip` runs it; data that is not generated is found by name and checked by content."""


@dataclass(frozen=True)
class Bundled:
    """What went into a bundle: runs in the order they are trained, data by name with its fingerprint."""

    run_id: str
    runs: Sequence[str]
    data: Mapping[str, str]


def bundle(results: str | Path, run: str, out: Path, catalogue: Catalogue) -> Bundled:
    """Write the bundle of a finished run, named by its id or an unambiguous beginning of it.

    Raises SuiteError (no such run, or several), DataError (not finished, a config or data missing).
    """
    found = read_results(results)
    run_id = _chosen(found, run)
    finished(found, run_id)
    configs = dict(_with_needs(found.folder, run_id))
    paths = list(dict.fromkeys(path for config in configs.values() for path in paths_of(config, catalogue)))
    names = portable(paths)
    data = {names[path]: fingerprint(path) for path in paths}
    moved = {one: replaced(config, catalogue, names.__getitem__) for one, config in configs.items()}
    members = {
        MANIFEST: _json(_manifest(run_id, moved, data)),
        SUITE: written(as_suite(run_id, moved), _HEADING),
        LOCK: lock(),
    }
    original = found.folder / SUITE
    members |= {ORIGINAL: original.read_text(encoding="utf-8")} if original.is_file() else {}
    for one, config in moved.items():
        members[f"runs/{one}/config.json"] = _json(config)
        record = read_record(found.folder / one)
        if record is not None and record.status == "done":
            members[f"runs/{one}/record.json"] = _json(record.to_json())
    write_archive(out, members)
    return Bundled(run_id, list(moved), data)


def as_suite(run_id: str, configs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A suite document whose one row is `run_id`; the runs it needs are its `support`."""
    target = configs[run_id]
    support = {config["variant"]: _diff(config) for one, config in configs.items() if one != run_id}
    return {
        "suite": target["suite"],
        "seeds": [target["seed"]],
        "base": {},
        **({"support": support} if support else {}),
        "ablate": {target["variant"]: _diff(target)},
    }


def _diff(config: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved config as a diff over an empty base. In `train` null means the default, and a diff's null deletes."""
    train = {key: value for key, value in config["train"].items() if value is not None}
    if config["train"].get("dev") is not None:
        train["dev"] = _entry(config["train"]["dev"])
    sections = {
        name: {label: _entry(entry) for label, entry in config[name].items()}
        for name in ("streams", "teachers", "losses")
        if config[name]
    }
    evaluate = [_entry(entry) for entry in config["evaluate"]]
    return {"backbone": _entry(config["backbone"]), **sections, "train": train, "evaluate": evaluate}


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    core = {key: entry[key] for key in ("name", "weight", "on") if key in entry}
    return {**core, **entry["options"]}


def _chosen(found: Results, run: str) -> str:
    known = sorted({*found.records, *(place.run_id for place in found.summary.cells)})
    fitting = [run] if run in known else [one for one in known if one.startswith(run)]
    if not run or not fitting:
        raise SuiteError(f"no run is called '{run}'. {nearest(run, known)}")
    if len(fitting) > 1:
        raise SuiteError(f"several runs begin with '{run}': {', '.join(fitting)}")
    return fitting[0]


def _with_needs(folder: Path, run_id: str, chain: tuple[str, ...] = ()) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The configs of a run and of all it needs, those it needs first."""
    config = read_config(folder / run_id)
    if run_id in chain:
        raise DataError(Fault("this run needs itself, in the end; its config is damaged", file=run_id))
    for need in config.get("needs", ()):
        yield from _with_needs(folder, str(need["run_id"]), (*chain, run_id))
    yield run_id, config


def _manifest(run_id: str, configs: Mapping[str, Mapping[str, Any]], data: Mapping[str, str]) -> dict[str, Any]:
    runs = [
        {"run_id": one, **{key: config[key] for key in ("variant", "seed", "axes")}} for one, config in configs.items()
    ]
    return {
        "schema": SCHEMA,
        "run_id": run_id,
        "runs": runs,
        "data": [{"path": name, "fingerprint": known} for name, known in data.items()],
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
