"""Asked to leave, a run writes a checkpoint and goes; asked twice it is gone. What is kept afterwards is chosen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dalr_bench.cli.main import main
from dalr_bench.record.events import read_events
from dalr_bench.record.lease import take
from dalr_bench.record.store import state
from dalr_bench.stopping import Stop, ask, listen, patient, undisturbed

SUITE = """suite: leaving
seeds: [0]
base:
  backbone: {name: hf, layers: 1, hidden: 16, heads: 2, feed_forward: 16}
  streams: {pairs: {name: scenes, scenes: 24, captions: 2}}
  teachers: {text: {name: run, variant: alone}}
  losses: {info: {name: infonce}}
  train: {steps: 2, batch: 8, lr: 1e-3, dev: {name: scenes, split: dev, pairs: 60}}
  evaluate: [{name: scenes, pairs: 60, probes: false}]
ablate:
  alone: {}
  needy: {losses.rank: {name: listmle, teacher: text, weight: 0.1}}
  other: {train.lr: 1e-4}
"""
LONG = ["--set", "train.steps=100000", "--set", "train.dev=null", "--set", "train.log_every=1"]


def command(results: Path, *more: str, only: str = "alone") -> list[str]:
    (results / "suite.yaml").write_text(SUITE)
    line = ["run", str(results / "suite.yaml"), "--results", str(results), "--only", only]
    return [*line, "--checkpoint-every", "never", *more]


def run(results: Path, *more: str, only: str = "alone") -> int:
    with pytest.raises(SystemExit) as left:
        main(command(results, *more, only=only))
    return int(left.value.code or 0)


def started(results: Path, *more: str) -> subprocess.Popen[str]:
    """The suite in a process of its own, as soon as its run has trained a few steps."""
    program = [sys.executable, "-m", "dalr_bench", *command(results, *more)]
    told = os.environ | {"DALR_BENCH_CACHE": str(results / "cache")}
    process = subprocess.Popen(program, env=told, stderr=subprocess.PIPE, text=True, start_new_session=True)
    until = time.monotonic() + 300
    while not any(path.stat().st_size > 500 for path in results.glob("leaving/*/steps.jsonl")):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < until
        time.sleep(0.05)
    return process


def living(results: Path) -> list[str]:
    """Processes that were given these results' cache, in whatever session they are."""
    given = f"DALR_BENCH_CACHE={results / 'cache'}".encode()
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if given in (place / "environ").read_bytes().split(b"\0"):
                found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    said = process.communicate(timeout=300)[1]
    return process.returncode, said


@pytest.fixture(autouse=True)
def _restored() -> Any:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("executor", "number"),
    [("inline", signal.SIGINT), ("local", signal.SIGTERM), ("torchrun:processes=2", signal.SIGTERM)],
)
def test_a_signal_makes_a_checkpoint(tmp_path: Path, executor: str, number: signal.Signals) -> None:
    process = started(tmp_path, "--executor", executor, *LONG)
    process.send_signal(number)
    code, said = end(process)
    assert (code, "interrupted: what was done is kept" in said, "Traceback" in said) == (130, True, False), said
    (folder,) = (path.parent for path in tmp_path.glob("leaving/*/steps.jsonl"))
    assert state(folder) == "interrupted"
    events = read_events(folder)
    assert [event["event"] for event in events] == ["started", "checkpoint", "interrupted"]
    lines = [json.loads(line)["step"] for line in (folder / "steps.jsonl").read_text().splitlines()]
    assert lines[-1] == events[1]["step"]
    assert [path.name for path in (folder / "checkpoints").iterdir()] == [f"{lines[-1]:09d}"]
    assert not [path for path in folder.rglob("*") if ".part" in path.name]
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert not living(tmp_path)


def test_who_is_killed_is_seen_to_be_gone(tmp_path: Path) -> None:
    process = started(tmp_path, "--executor", "inline", *LONG)
    (folder,) = (path.parent for path in tmp_path.glob("leaving/*/steps.jsonl"))
    assert state(folder) == "running"
    process.kill()
    assert end(process)[0] == -signal.SIGKILL
    assert state(folder) == "stale"
    lease = take(folder)
    assert lease is not None
    lease.release(keep_number=True)
    assert state(folder) == "interrupted"


def test_workers_whose_parent_is_killed_leave_with_a_checkpoint(tmp_path: Path) -> None:
    process = started(tmp_path, "--executor", "local", *LONG)
    (folder,) = (path.parent for path in tmp_path.glob("leaving/*/steps.jsonl"))
    process.kill()
    process.wait()
    until = time.monotonic() + 60
    while state(folder) == "running":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert process.stderr is not None
    process.stderr.close()
    assert state(folder) == "interrupted"
    assert [event["event"] for event in read_events(folder)] == ["started", "checkpoint", "interrupted"]


def test_the_second_word_ends_the_process_where_it_stands() -> None:
    code = (
        "import os, signal, time\nfrom dalr_bench.stopping import patient\n"
        "with patient() as stop:\n    os.kill(os.getpid(), signal.SIGINT)\n    assert stop.asked\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n    print('one asking', flush=True)\n    time.sleep(0.6)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n    print('never', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "one asking\n")


def asked_while(waits: bool) -> Stop:
    with patient() as stop, stop.waits(waits):
        ask()
        ask()  # the same word, heard twice
    return stop


@pytest.mark.parametrize("waits", [True, False], ids=["patient", "impatient"])
def test_code_that_looks_is_asked_and_other_code_is_interrupted(waits: bool) -> None:
    with pytest.raises(KeyboardInterrupt):
        asked_while(waits)
    with pytest.raises(KeyboardInterrupt):
        listen()()


def test_the_weights_go_unless_they_are_needed_and_come_again_when_they_are(tmp_path: Path) -> None:
    few = ["--executor", "inline", "--retain", "none"]
    assert run(tmp_path, *few) == 0
    (teacher,) = (tmp_path / "leaving").glob("alone-*")
    assert (teacher / "weights.safetensors").is_file()  # `needy` is not asked for now, but it needs them
    assert json.loads((tmp_path / "leaving" / "suite.json").read_text())["needed"] == [teacher.name]
    assert run(tmp_path, *few, only="other") == 0
    (other,) = (tmp_path / "leaving").glob("other-*")
    assert not (other / "weights.safetensors").exists()
    assert not (other / "model").exists()
    assert (other / "record.json").is_file()
    (teacher / "weights.safetensors").unlink()
    before = (teacher / "record.json").stat().st_mtime_ns
    assert run(tmp_path, *few) == 0
    assert (teacher / "record.json").stat().st_mtime_ns == before  # nobody who is left needs them
    assert run(tmp_path, *few, only="needy") == 0
    assert (teacher / "weights.safetensors").is_file()
    assert [event["event"] for event in read_events(teacher)].count("trained") == 2


def test_the_last_checkpoint_stays_where_it_is_wanted(tmp_path: Path) -> None:
    assert run(tmp_path, "--executor", "inline", "--retain", "last") == 0
    (folder,) = (path for path in (tmp_path / "leaving").iterdir() if path.is_dir())
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["000000002"]


def test_no_room_is_one_line_and_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dalr_bench.record import space

    monkeypatch.setattr(space, "free_bytes", lambda folder: 1000)
    assert run(tmp_path, "--executor", "inline", "--keep-going") == 1
    said = capsys.readouterr().err
    assert "its weights and checkpoints need" in said
    assert "1.0 kB are free; free some space" in said
    assert "Traceback" not in said
    monkeypatch.undo()
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / "cache"))
    assert run(tmp_path, "--executor", "inline") == 0


def test_what_is_done_together_is_done_to_its_end() -> None:
    done = []

    def together(then: str) -> None:
        with undisturbed():
            ask()
            done.append("to its end")
        done.append(then)

    listen()
    with pytest.raises(KeyboardInterrupt):
        together("never")
    assert done == ["to its end"]

    def looking_often() -> None:
        with patient():
            together("and on, to where somebody looks")

    with pytest.raises(KeyboardInterrupt):
        looking_often()
    assert done == ["to its end"] * 2 + ["and on, to where somebody looks"]
