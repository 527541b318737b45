"""What the harness itself costs, in processor seconds: others may use the machine. `-s` prints the figures of the docs.

`pytest -s --slow tests/test_harness_cost.py` makes all of them, the everyday run a tenth.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from dalr_bench.plugin.manager import load as load_plugins
from dalr_bench.process import boot_id, myself
from dalr_bench.record.environment import this_device
from dalr_bench.record.record import Record
from dalr_bench.suite import Plan, expand, load
from dalr_bench.types import Run, Score

TINY = Path(__file__).parent / "suites" / "tiny.yaml"
SEEDS = 100
PARTS = {"prepare": 1.0, "train": 60.0, "dev": 2.0, "score.scenes": 1.0, "other": 0.5, "total": 64.5}


@dataclass(frozen=True)
class Took:
    """Seconds of one command: of processors, and on the clock."""

    cpu: float
    wall: float
    out: str


def timed(*words: str | Path) -> Took:
    """A command in a process of its own, with all that it starts itself."""

    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before, began = spent(), time.perf_counter()
    line = [sys.executable, "-m", "dalr_bench", *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=900, env=os.environ)
    assert done.returncode == 0, done.stderr
    return Took(spent() - before, time.perf_counter() - began, done.stdout)


def grid(place: Path, runs: int) -> Path:
    """A suite of so many runs, each after a teacher that is a run."""
    cells = "".join(f"  v{number}: {{train.lr: {2e-3 + number * 1e-6}}}\n" for number in range(runs // SEEDS))
    head = f"extends: {TINY}\nsuite: wide\nseeds: {list(range(SEEDS))}\n"
    file = place / "wide.yaml"
    file.write_text(f"{head}ablate:\n  untrained: null\n  baseline: null\n  ranked: null\n{cells}")
    return file


def fill(folder: Path, plan: Plan) -> None:
    """Every run done, as `run` leaves it."""
    device = dict(this_device())
    for run in plan.runs:
        extra = {"identity": plan.identities[run.id], "steps": 4, "bytes": {"peak": 10**9}, "dev_curve": [{}, {}]}
        scores = [Score(f"task {number}", "spearman", 0.5, 1000, protocol="p" * 60) for number in range(30)]
        record = Record(run.id, "wide", run.variant, run.seed, scores=scores, seconds=PARTS, environment=device, extra=extra)
        (folder / run.id).mkdir(parents=True)
        (folder / run.id / "config.json").write_text(json.dumps({**run.config, **extra}))
        (folder / run.id / "record.json").write_text(json.dumps(record.to_json()))
    needed = sorted({need for run in plan.runs for need in run.needs})
    (folder / "suite.json").write_text(json.dumps({**plan.to_json(), "needed": needed}))


def disturb(folder: Path, run: Run, how: int) -> None:
    """A quarter each: done, killed, asked to leave, not begun."""
    if how:
        (folder / run.id / "record.json").unlink()
    if how == 1:
        gone = {**myself(), "boot": boot_id(), "pid": 2**22 - 1}
        (folder / run.id / "lease-1.json").write_text(json.dumps(gone))
    if how == 2:
        (folder / run.id / "events.jsonl").write_text('{"event": "interrupted"}\n')


def figures(tmp_path: Path, runs: int) -> dict[str, Took]:
    suite, results = grid(tmp_path, runs), tmp_path / "results"
    found = {"plan, none done": timed("plan", suite, "--results", results)}
    plan = expand(load(str(suite)), load_plugins().catalogue)
    assert len(plan.runs) == runs + 1
    fill(results / "wide", plan)
    found["plan, all done"] = timed("plan", suite, "--results", results, "--json")
    assert json.loads(found["plan, all done"].out)["total"]["done"] == runs + 1
    found["status, all done"] = timed("status", results / "wide")
    for number, run in enumerate(plan.runs):
        disturb(results / "wide", run, number % 4)
    found["status, a quarter each"] = timed("status", results / "wide", "--json")
    total = json.loads(found["status, a quarter each"].out)["total"]
    states = [total[state] for state in ("done", "stale", "interrupted", "missing")]
    assert sum(states) == total["runs"] == runs + 1
    assert max(states) - min(states) <= 1
    for name, took in found.items():
        print(f"{name} of {runs}: {took.cpu:.2f} s of processor, {took.wall:.2f} s")
    return found


def test_plan_and_status_of_a_thousand_runs(tmp_path: Path) -> None:
    assert {name for name, took in figures(tmp_path, 1_000).items() if took.cpu >= 3} == set()


@pytest.mark.slow
def test_plan_and_status_of_ten_thousand_runs(tmp_path: Path) -> None:
    assert {name for name, took in figures(tmp_path, 10_000).items() if took.cpu >= 5} == set()


def overhead(tmp_path: Path, *executor: str) -> float:
    """Processor seconds of one more run, its four steps and its scoring included, and all that the grid does for it.

    Three commands: the first fills the caches, the second starts for one run a process, the third for eight more than that.
    """
    processes = 2 if "local" in executor else 1
    cells = "{untrained: null, baseline: null, ranked: null, plain: {teachers: null, losses.grounding: null}}"
    took: list[Took] = []
    bounds = (0, 1, 1 + processes, 9 + 2 * processes)
    for first, after in pairwise(bounds):
        seeds = list(range(first, after))
        (tmp_path / "few.yaml").write_text(f"extends: {TINY}\nsuite: few\nseeds: {seeds}\nablate: {cells}\n")
        line = ("run", tmp_path / "few.yaml", "--results", tmp_path / "results", "--device", "cpu", *executor)
        took.append(timed(*line))
    records = [json.loads(path.read_text()) for path in (tmp_path / "results" / "few").glob("*/record.json")]
    assert sorted(record["seed"] for record in records) == list(range(bounds[-1]))
    at_work = sum(
        value
        for record in records
        for part, value in record["seconds"].items()
        if record["seed"] >= bounds[-2] and (part in ("train", "dev") or part.startswith("score"))
    )
    one_more = (took[2].cpu - took[1].cpu) / 8
    clock = (processes * took[2].wall - at_work) / (8 + processes)
    print(f"{' '.join(executor)}: one more run {one_more:.2f} s of processor; beside training and scoring {clock:.2f} s a run")
    return one_more


def test_a_grid_adds_less_than_two_seconds_to_a_run(tmp_path: Path) -> None:
    assert 0 < overhead(tmp_path, "--executor", "inline") < 2


@pytest.mark.slow
def test_two_processes_add_less_than_two_seconds_to_a_run(tmp_path: Path) -> None:
    assert 0 < overhead(tmp_path, "--executor", "local", "--jobs", "2") < 2
