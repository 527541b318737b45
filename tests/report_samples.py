"""A suite of results whose report can be worked out by hand: what tests of the report share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from result_samples import records, summary

from dalr_bench.record.record import Record
from dalr_bench.record.results import write_summary
from dalr_bench.record.steps import StepLog
from dalr_bench.record.store import begin, finish
from dalr_bench.record.summary import Place, Summary
from dalr_bench.types import Score

CONFIG = {
    "schema": 1,
    "losses": {"rank": {"name": "rank", "options": {"tau": 0.25}}},
    "train": {"steps": 4},
    "evaluate": [{"name": "e", "options": {"limit": None}}],
    "needs": [{"variant": "teacher", "seed": 0, "run_id": "teacher-one-0"}],
}


def step_costs(seed: int) -> dict[str, dict[str, float | None]]:
    """What the sample's steps cost: 20, 21, 22 ms in the student by seed, 2 ms in its one term; no joules."""
    student: dict[str, float | None] = {"ms_per_step": 20.0 + seed, "share": 1.0, "peak_bytes": 6_000_000}
    term: dict[str, float | None] = {"ms_per_step": 2.0, "share": 1.0, "peak_bytes": 500_000, "joules_per_step": None}
    whole: dict[str, float | None] = {"ms_per_step": 23.0 + seed, "share": 1.0, "peak_bytes": 7_000_000}
    return {"train": {"seconds": 1.0, "cpu_seconds": 1.0}, "step": whole, "student": student, "losses.margin": term}


def write_trained(folder: Path) -> Path:
    """The sample of the tables with what training leaves: a log, a dev curve, memory, an environment."""
    for run, record in records().items():
        curve = [{"step": 2, "value": 0.5}, {"step": 4, "value": 0.75}]
        extra = {"dev_curve": curve, "bytes": {"peak": 3_000_000}, "costs": step_costs(record.seed)}
        environment = {"python": "3.11", "commit": "abc", "device": "cpu", "libraries": {"torch": "2"}}
        begin(folder / run, CONFIG)
        with StepLog(folder / run) as log:
            for step in range(1, 5):
                log.write(step, {"loss": 3.0 - step / 2, "margin": 1.0 / step, "rate": 1e-3, "seconds": step / 10})
        finish(folder / run, replace(record, extra=extra, environment=environment))
    write_summary(folder, summary())
    write_origins(folder, list(records()))
    return folder


def write_origins(folder: Path, runs: Sequence[str]) -> None:
    """Beside `suite.json`, as `run` leaves it."""
    where = {"losses.rank.tau": "pets.yaml:14:9", "train.steps": "--set", "evaluate.0.limit": "default"}
    (folder / "origins.json").write_text(json.dumps({"runs": dict.fromkeys(runs, 0), "origins": [where]}))


def write_hostile(folder: Path, name: str) -> Path:
    """A suite in which every word a stranger chooses is `name`: title, variant, axis, label, task, term, error."""
    cells = []
    for variant in ("baseline", name):
        for seed in (0, 1):
            run = f"{'base' if variant == 'baseline' else 'other'}-{seed}"
            record = Record(run, name, variant, seed, {name: name}, seconds={name: 1.0, "total": 2.0})
            scores = [Score(task, "spearman", 0.5 + seed / 10, 9, protocol=name) for task in (name, f"{name}/x")]
            environment = {name: name, "commit": name, "device": {name: name}}
            begin(folder / run, {"suite": name, name: name, "needs": [{"run_id": name}]})
            with StepLog(folder / run) as log:
                log.write(1, {"loss": 1.0, name: 2.0})
                log.write(2, {"loss": 0.5, name: 1.0})
            finish(folder / run, replace(record, scores=scores, environment=environment))
            cells.append(Place(variant, seed, run, {name: name}))
        cells.append(Place(variant, 2, f"failed-{variant == name}", {name: name}))
    for run in ("failed-True", "failed-False"):
        begin(folder / run, {})
        finish(folder / run, Record(run, name, name, 2, {name: name}, status="failed", error=name))
    (folder / "base-0" / "odd & <b>.txt").write_text(name)
    layout = Summary(name, name, ("baseline", name), axes={name: (name,)}, cells=cells)
    write_summary(folder, layout)
    (folder / "origins.json").write_text(json.dumps({"runs": {"base-0": 0}, "origins": [{name: name}]}))
    return folder


def write_many(folder: Path, variants: int = 40, seeds: int = 5, steps: int = 300) -> Path:
    """A large suite: variants × seeds runs, 15 tasks and 20 subsets each, a log of `steps` lines with six terms."""
    cells = []
    for variant in range(variants):
        for seed in range(seeds):
            run = f"v{variant}-s{seed}"
            value = 0.6 + variant / 200 + ((variant * 7 + seed * 13) % 11) / 500
            tasks = [f"T{k}" for k in range(15)] + [f"T{k % 5}/part{k}" for k in range(20)]
            scores = [Score(task, "spearman", value + k / 300, 1000, protocol="p") for k, task in enumerate(tasks)]
            extra = {"dev_curve": [{"step": s, "value": value} for s in range(1, steps, 30)], "bytes": {"peak": 10**9}}
            place = folder / run
            place.mkdir(parents=True)
            (place / "config.json").write_text(json.dumps({"options": {f"option{k}": k for k in range(200)}}))
            lines = (
                {"step": s, "loss": 1 / s, **{f"term{k}": k + 1 / s for k in range(6)}} for s in range(1, steps + 1)
            )
            (place / "steps.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            record = Record(
                run, "many", f"variant {variant}", seed, {"k": "one"}, seconds={"train": 9.0, "total": 10.0}
            )
            full = replace(record, scores=scores, extra=extra, environment={"python": "3"})
            (place / "record.json").write_text(json.dumps(full.to_json()))
            cells.append(Place(f"variant {variant}", seed, run, {"k": "one"}))
    names = tuple(f"variant {k}" for k in range(variants))
    write_summary(folder, Summary("many", "Many runs", names, axes={"k": ("one",)}, cells=cells))
    return folder
