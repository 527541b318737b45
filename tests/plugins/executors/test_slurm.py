"""Jobs through submitit, in its local and debug modes: equal records, preempted jobs that come again, no litter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("submitit")

from dalr_bench import Task
from dalr_bench.plugin.manager import load
from dalr_bench.record.events import read_events
from dalr_bench.types import Part
from dalr_bench_plugins.workers.submission import RunFolder
from tests.plugins.executors.equal import SELECTED, TINY, left_over, outcomes, run


def test_debug_mode_runs_here(inline: dict[str, Any], tmp_path: Path) -> None:
    done = run(tmp_path / "results", "slurm:mode=debug", "--only", "untrained", "--seed", "0")
    assert done.returncode == 0, done.stderr
    found = outcomes(tmp_path / "results")
    assert len(found) == 1
    assert found.items() <= inline.items()


def test_options_are_the_signature(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    wrong = run(tmp_path, "slurm:partion=a100,minutes=0", "--only", "untrained")
    assert wrong.returncode == 2
    assert "slurm.partion: executor 'slurm' has no such option. Did you mean 'partition'?" in wrong.stderr
    assert "slurm.minutes: Input should be greater than or equal to 1, got 0" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert run(tmp_path, "slurm:minutes", "--only", "untrained").returncode == 2


def test_what_slurm_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch file of an array, as submitit writes it; `sbatch` is ours."""
    (tmp_path / "bin").mkdir()
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.write_text(f'#!/bin/sh\ncp "$1" {tmp_path}/asked\necho "Submitted batch job 77"\n')
    for name in ("srun", "sacct", "scontrol", "scancel"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
    for path in (tmp_path / "bin").iterdir():
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    options = {
        "partition": "a100",
        "minutes": 30,
        "gpus": 1,
        "cpus": 4,
        "memory_gb": 16,
        "parallel": 3,
        "account": "me",
    }
    executor = load().catalogue.build("executor", Part("slurm", options), jobs=None, device="cuda", perform=None)
    tasks = [Task(name, str(tmp_path / "results" / name)) for name in "abcde"]
    for task in tasks:
        Path(task.folder).mkdir(parents=True)
    sent = executor._submit(tasks, tmp_path / "results" / ".slurm")
    asked = (tmp_path / "asked").read_text()
    wanted = (
        "array=0-4%3",
        "partition=a100",
        "time=30",
        "gpus-per-node=1",
        "cpus-per-task=4",
        "mem=16GB",
        "account=me",
    )
    assert not [option for option in (*wanted, "signal=USR2@120") if f"#SBATCH --{option}" not in asked], asked
    assert [str(each.job.job_id) for each in sent] == [f"77_{number}" for number in range(5)]


def test_local_mode_gives_equal_records(inline: dict[str, Any], tmp_path: Path) -> None:
    """Two jobs at a time, those that need others after them."""
    results = tmp_path / "results"
    done = run(results, "slurm:mode=local,parallel=2,minutes=10", *SELECTED)
    assert done.returncode == 0, done.stderr
    assert outcomes(results) == inline
    assert not left_over(results)


LONG = f"""
extends: {TINY}
suite: long
seeds: [0]
ablate:
  untrained: null
  baseline: null
  ranked: null
  plain: {{teachers: null, losses.grounding: null, train.steps: 500, train.dev: null}}
"""


def test_a_preempted_job_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    """submitit's own preemption signal, while the run is held in the middle of its steps."""
    (tmp_path / "long.yaml").write_text(LONG)
    alone = run(tmp_path / "alone" / "results", "inline", suite=tmp_path / "long.yaml")
    assert alone.returncode == 0, alone.stderr
    results = tmp_path / "results"
    line = ["-m", "dalr_bench", "run", str(tmp_path / "long.yaml"), "--results", str(results), "--device", "cpu"]
    command = [sys.executable, *line, "--executor", "slurm:mode=local,minutes=10", "--checkpoint-every", "never"]
    told = os.environ | {"DALR_BENCH_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(command, env=told, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as grid:
        job, child = at_work(grid.pid, results)
        os.kill(child, signal.SIGSTOP)
        os.kill(job, signal.SIGUSR2)
        logs = threading.Thread(target=collect, args=(results, seen := []))
        logs.start()
        os.kill(child, signal.SIGCONT)
        _, err = grid.communicate(timeout=400)
        logs.join()
    assert grid.returncode == 0, err
    assert any("Requeued job" in text for text in seen), seen
    (folder,) = (results / "long").glob("plain-*")
    happened = [event for event in read_events(folder) if event["event"] in BEGINNINGS]
    assert [event["event"] for event in happened] == [
        "started",
        "checkpoint",
        "interrupted",
        "started",
        "resumed",
        "trained",
    ]
    assert 0 < happened[1]["step"] < 500
    assert happened[4]["step"] == happened[1]["step"]
    assert outcomes(results) == outcomes(tmp_path / "alone" / "results")
    assert not left_over(results)


BEGINNINGS = ("started", "checkpoint", "interrupted", "resumed", "trained")


def at_work(grid: int, results: Path) -> tuple[int, int]:
    """The process that SLURM would signal (submitit's, in the job), and its child: the run, which is at its steps."""
    for _ in range(24000):
        for events in results.glob("*/.slurm/*.events"):
            if b'"step": ' in events.read_bytes():
                for controller in children(grid):
                    for job in children(controller):
                        for child in children(job):
                            if events.stem in command(child):
                                return job, child
        time.sleep(0.005)
    raise AssertionError("no job began")


def children(process: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


def collect(results: Path, seen: list[str]) -> None:
    """What jobs logged, before the logs are tidied away."""
    for _ in range(4000):
        seen[:] = [path.read_text(errors="replace") for path in results.glob("*/.slurm/*_log.*")] or seen
        if any("Requeued job" in text for text in seen):
            return
        time.sleep(0.02)


def test_the_callable_carries_strings_and_comes_again_as_itself(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path), "cpu", str(tmp_path / "events"))
    assert all(isinstance(value, str) for value in vars(folder).values())
    assert folder.checkpoint().function == folder


def test_a_job_without_a_record_is_told_by_its_state(tmp_path: Path) -> None:
    from dalr_bench_plugins.executors.slurm import Sent

    class Job:
        job_id = "77_0"
        paths = type("Paths", (), {"stdout": "log"})

        def __init__(self, state: str) -> None:
            self.state = state

    told = {state: Sent(Task("a", str(tmp_path)), Job(state), tmp_path / "e").ending().trouble for state in STATES}
    assert told == STATES


STATES = {
    "OUT_OF_MEMORY": "memory",
    "PREEMPTED": "preempted",
    "TIMEOUT": "preempted",
    "NODE_FAIL": "lost",
    "CANCELLED by 0": "lost",
}
