"""`dalr-bench run` under torchrun on two machines, played by two agents of this one: the run of one machine with two processes, to the
bit; one process writes; a machine that dies, falls silent or is asked to leave leaves nobody waiting and nothing lost."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dalr_bench import SuiteError, launched
from dalr_bench.process import is_alive
from dalr_bench_plugins.executors.torchrun import Torchrun
from tests.plugins.executors.equal import TINY, outcomes, run

ONE = ("--only", "baseline", "--seed", "0", "--checkpoint-every", "1steps")
LONG = ("--set", "train.steps=3000", "--set", "train.dev=null", *ONE)


def port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Machines:
    """Two agents, each with a process; what they print, and who they are."""

    results: Path
    more: tuple[str, ...] = ONE
    environment: dict[str, str] = field(default_factory=dict)
    agents: list[subprocess.Popen[str]] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)

    def start(self) -> Machines:
        where = ["--nnodes", "2", "--nproc-per-node", "1", "--rdzv-backend", "c10d", "--rdzv-id", secrets.token_hex(4)]
        where += ["--rdzv-endpoint", f"127.0.0.1:{port()}"]
        command = ["-m", "dalr_bench", "run", str(TINY), "--results", str(self.results), "--device", "cpu", *self.more]
        line = [sys.executable, "-m", "torch.distributed.run", *where, *command]
        cache = {"DALR_BENCH_CACHE": str(self.results.parent / "cache"), "OMP_NUM_THREADS": "1"}
        for _ in range(2):
            pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            told = os.environ | cache | self.environment
            self.agents.append(subprocess.Popen(line, env=told, text=True, start_new_session=True, **pipes))
        return self

    def wait(self, seconds: float = 200) -> list[int]:
        """Exit codes. A machine that stays fails the test, which then tells what all of them said."""
        until = time.monotonic() + seconds
        try:
            self.told = [agent.communicate(timeout=max(0.1, until - time.monotonic())) for agent in self.agents]
        except subprocess.TimeoutExpired:
            codes = [agent.poll() for agent in self.agents]
            self.kill()
            self.told = [agent.communicate() for agent in self.agents]
            pytest.fail(
                f"after {seconds:g} s the machines' exit codes are {codes} (None: still there); told: {self.told}"
            )
        return [agent.returncode for agent in self.agents]

    def at(self, step: int) -> None:
        """Wait for that step's checkpoint."""
        while not any(int(path.name) >= step for path in self.results.glob("*/*/checkpoints/*") if path.name.isdigit()):
            assert all(agent.poll() is None for agent in self.agents), self.wait()
            time.sleep(0.01)

    def at_work(self, rank: int) -> list[tuple[subprocess.Popen[str], int]]:
        """The agent that has the process of that rank, and that process; empty where there is none yet."""
        found = [(agent, pid) for agent in self.agents for pid in _children(agent.pid)]
        return [(agent, pid) for agent, pid in found if f"RANK={rank}" in _environment(pid)]

    def second(self) -> tuple[subprocess.Popen[str], int]:
        """The agent that has the process that is not the first one, and that process."""
        (found,) = self.at_work(1)
        return found

    def lines(self, said: str) -> list[str]:
        """What was printed that holds these words, without what torchrun prints of its own."""
        return [line for _, errors in self.told for line in errors.splitlines() if re.search(said, line)]

    def kill(self) -> None:
        for agent in self.agents:
            if agent.poll() is None:
                for pid in [*_children(agent.pid), agent.pid]:  # a process of torchrun's has a session of its own
                    os.kill(pid, signal.SIGKILL)
                agent.wait()

    def end(self) -> None:
        self.kill()
        for agent in self.agents:
            for pipe in (agent.stdout, agent.stderr):
                if pipe is not None:
                    pipe.close()


@pytest.fixture
def two(tmp_path: Path) -> Any:
    made: list[Machines] = []

    def started(*more: str, **environment: str) -> Machines:
        made.append(Machines(tmp_path / "two", more or ONE, environment).start())
        return made[-1]

    yield started
    for each in made:
        each.end()


Two = Callable[..., Machines]


def test_two_machines_share_a_run_and_both_end(two: Two, tmp_path: Path) -> None:
    machines = two()
    assert machines.wait(150) == [0, 0], machines.told
    (folder,) = (tmp_path / "two").glob("*/baseline-*/")
    assert json.loads((folder / "record.json").read_text())["environment"]["processes"] == 2
    assert (folder / "events.jsonl").read_text().count('"started"') == 1
    # One process prints the table and what became of the run, the other one nothing.
    assert sorted(bool(out) for out, _ in machines.told) == [False, True]
    assert len(machines.lines("done baseline")) == 1


@pytest.mark.slow
def test_two_machines_are_one_with_two_processes_to_the_bit(two: Two, tmp_path: Path) -> None:
    machines = two()
    assert machines.wait() == [0, 0], machines.told
    done = run(tmp_path / "one", "torchrun:processes=2", *ONE)
    assert done.returncode == 0, done.stderr
    here, there = outcomes(tmp_path / "one"), outcomes(tmp_path / "two")
    assert here == there  # weights, curve and scores
    assert len(here) == 2  # a teacher that is a run, and the run that asks it


@pytest.mark.slow
def test_where_nothing_is_left_to_do_all_machines_end(two: Two, tmp_path: Path) -> None:
    """torchrun's agents wait for one another at the end, for 300 s where one process ends well and another one does not."""
    first = two()
    assert first.wait() == [0, 0], first.told
    before = outcomes(tmp_path / "two")
    again = two()
    assert again.wait() == [0, 0], again.told
    assert outcomes(tmp_path / "two") == before


@pytest.mark.slow
def test_a_fault_of_the_suite_is_told_once_and_nobody_waits(two: Two) -> None:
    machines = two("--set", "train.stepz=3", *ONE)
    assert machines.wait(100) == [
        1,
        1,
    ]  # torchrun's own code; where one had ended well, it would wait for the other for minutes
    assert len(machines.lines("train.stepz: ")) == 1
    assert not machines.lines('File ".*dalr_bench')  # torchrun's own agents tell at length that they lost one another


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True], ids=["its process", "with its agent"])
def test_a_machine_that_dies_ends_the_other_with_a_line(two: Two, tmp_path: Path, whole: bool) -> None:
    machines = two(*LONG)
    machines.at(3)
    agent, process = machines.second()
    if whole:
        agent.kill()
    os.kill(process, signal.SIGKILL)
    codes = machines.wait(120)
    assert 0 not in codes
    assert len(machines.lines("another process of this run is gone")) == 1, machines.told
    assert not list(tmp_path.glob("two/*/baseline-*/weights.safetensors"))
    _goes_on(two, tmp_path)


def _goes_on(two: Two, tmp_path: Path) -> None:
    """The same command again goes on from the checkpoint, and may be interrupted too: both machines are asked, as SLURM asks."""
    machines = two(*LONG)
    (events,) = tmp_path.glob("two/*/baseline-*/events.jsonl")
    while '"resumed"' not in events.read_text():
        assert all(agent.poll() is None for agent in machines.agents), machines.wait()
        time.sleep(0.01)
    (resumed,) = [json.loads(line) for line in events.read_text().splitlines() if '"resumed"' in line]
    assert resumed["step"] >= 3
    machines.at(resumed["step"] + 2)
    for agent in machines.agents:
        agent.terminate()
    machines.wait(60)
    assert '"interrupted"' in events.read_text()
    assert not machines.lines("is gone")


@pytest.mark.slow
@pytest.mark.parametrize("first", [False, True], ids=["the second", "the first"])
def test_a_machine_that_falls_silent_ends_the_other_with_a_line(two: Two, first: bool) -> None:
    """Stopped, not killed: its connections stay open, as those of a machine without power do."""
    machines = two(*LONG, DALR_BENCH_SILENCE="6")
    machines.at(3)
    line = _without(machines, first, "has said nothing")
    assert "has said nothing for 6 s: it is gone, or cut off; run the same command again" in line


@pytest.mark.slow
@pytest.mark.parametrize("first", [False, True], ids=["the second", "the first"])
def test_a_machine_that_falls_silent_before_all_have_met_ends_the_other_with_a_line(two: Two, first: bool) -> None:
    machines = two(DALR_BENCH_SILENCE="2")
    line = _without(machines, first, "within 10 s")
    wanted = "the machine that holds this run together did not answer" if first else "process 1 of 2 did not come"
    assert wanted in line


def _without(machines: Machines, first: bool, words: str) -> str:
    """What the other one says, and ends, once one of both stands still."""
    while not (machines.at_work(0) and machines.at_work(1)):
        time.sleep(0.01)
    (frozen, its_process), (living, process) = machines.at_work(int(not first))[0], machines.at_work(int(first))[0]
    for pid in (its_process, frozen.pid):
        os.kill(pid, signal.SIGSTOP)
    assert living.stderr is not None
    line = next(line for line in living.stderr if words in line)
    while is_alive(process):
        time.sleep(0.1)
    return line  # the agent itself may wait for the other one's for minutes more: that is torchrun's own patience


def _children(pid: int) -> list[int]:
    """Of the main thread, which starts them."""
    return [int(name) for name in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _environment(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/environ").read_text().split("\0")
    except OSError:
        return []


def test_executors_that_start_others_are_refused_among_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launched.processes() == 1
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert launched.processes() == 1  # somebody's variable of that name
    monkeypatch.setenv("RANK", "0")
    assert launched.processes() == 4
    assert (launched.executor(None).name, launched.executor("inline").name) == ("torchrun", "inline")
    with pytest.raises(SuiteError, match="--executor local: torchrun started this command on 4 processes"):
        launched.executor("local:jobs=2")
    Torchrun(4)
    with pytest.raises(SuiteError, match="processes=2, but torchrun started 4 of them"):
        Torchrun(2)
    assert launched.follow(None, "cpu") is None
