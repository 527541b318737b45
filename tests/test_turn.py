"""Runs of two suites that are equal: one is computed, the other waits for it and takes it over, or does it after all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dalr_bench.record.events import read_events
from dalr_bench.record.lease import holder, take
from dalr_bench.record.record import Record
from dalr_bench.record.store import begin, finish
from dalr_bench.sharing import at_work, take_over_one
from dalr_bench.train import weights
from dalr_bench.turn import wait_for_turn

TINY = Path(__file__).parent / "suites" / "tiny.yaml"
SUITE = f"""
extends: {TINY}
suite: NAME
seeds: [0]
ablate:
  untrained: null
  baseline: null
  ranked: null
  CELL: {{teachers: null, losses.grounding: null, train.steps: 200, train.dev: null}}
"""


def start(place: Path, suite: str, cell: str) -> subprocess.Popen[str]:
    """`dalr-bench run` of a suite of one cell, which is the same for every suite but for its name."""
    file = place / f"{suite}.yaml"
    file.write_text(SUITE.replace("NAME", suite).replace("CELL", cell))
    line = [
        sys.executable,
        "-m",
        "dalr_bench",
        "run",
        str(file),
        "--results",
        str(place / "results"),
        "--device",
        "cpu",
    ]
    told = os.environ | {"DALR_BENCH_CACHE": str(place / "cache"), "DALR_BENCH_CHECKPOINT_EVERY": "never"}
    return subprocess.Popen(line, env=told, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def until(look: Callable[[], Any]) -> Any:
    for _ in range(24000):
        if found := look():
            return found
        time.sleep(0.005)
    raise AssertionError("it did not happen")


def events(place: Path, suite: str) -> list[str]:
    return [event["event"] for folder in (place / "results" / suite).glob("*/") for event in read_events(folder)]


def record_of(place: Path, suite: str) -> tuple[Path, dict[str, Any]]:
    (path,) = (place / "results" / suite).glob("*/record.json")
    return path.parent, json.loads(path.read_text())


@pytest.mark.parametrize("killed", [False, True])
def test_two_suites_that_share_a_cell_train_it_once(tmp_path: Path, killed: bool) -> None:
    """The first is held in the middle of the cell until the second waits for it; then it goes on, or is killed."""
    with start(tmp_path, "one", "plain") as one:
        until(lambda: "started" in events(tmp_path, "one"))
        one.send_signal(signal.SIGSTOP)
        assert not list((tmp_path / "results").glob("*/*/record.json"))
        with start(tmp_path, "two", "same") as two:
            assert two.stderr is not None
            said = until(lambda: next((line for line in two.stderr or () if "waiting for" in line), None))
            assert f"waiting for process {one.pid} on " in said
            assert "at the same run of suite 'one'" in said
            one.send_signal(signal.SIGKILL if killed else signal.SIGCONT)
            one.communicate(timeout=300)
            told = two.communicate(timeout=300)[1]
    assert two.returncode == 0, told
    trained = events(tmp_path, "one").count("trained"), events(tmp_path, "two").count("trained")
    folder, record = record_of(tmp_path, "two")
    assert (record["suite"], record["variant"], record["status"]) == ("two", "same", "done")
    assert weights.digest(folder) == record["weights"]
    if killed:
        assert trained == (0, 1)
        assert "origin" not in record
    else:
        assert one.returncode == 0
        assert trained == (1, 0)
        source, first = record_of(tmp_path, "one")
        assert record["origin"] == {"suite": "one", "run_id": source.name}
        assert (record["scores"], record["weights"]) == (first["scores"], first["weights"])
    assert not [path for path in folder.iterdir() if path.name.startswith((".", "lease"))]


def equal_runs(results: Path, *suites: str) -> list[Path]:
    folders = [results / suite / f"cell-{suite}-5eed" for suite in suites]
    for folder in folders:
        begin(folder, {"identity": "5eed", "suite": folder.parent.name, "variant": folder.parent.name, "axes": {}})
    return folders


def test_of_those_that_begin_at_once_one_is_at_work_at_a_time(tmp_path: Path) -> None:
    inside, turns = threading.Lock(), []

    def work(folder: Path) -> None:
        for _ in range(10):
            lease, waited = wait_for_turn(folder, lambda who: None, pause=0.001)
            assert not waited  # nobody else was in this folder
            turns.append((folder.name, inside.acquire(blocking=False)))
            time.sleep(0.002)
            inside.release()
            lease.release(keep_number=True)

    workers = [threading.Thread(target=work, args=[folder]) for folder in equal_runs(tmp_path, "a", "b", "c", "d")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=120)
    assert len(turns) == 40
    assert all(alone for _, alone in turns)


def test_who_is_asked_to_leave_while_it_waits_holds_nothing(tmp_path: Path) -> None:
    first, second = equal_runs(tmp_path, "a", "b")
    lease = take(second)
    assert lease is not None
    assert at_work(first) == second

    def leave(who: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wait_for_turn(first, leave)
    assert holder(first) is None
    lease.release()
    assert at_work(first) is None


def test_what_failed_elsewhere_or_is_another_run_is_not_taken_over(tmp_path: Path) -> None:
    first, second = equal_runs(tmp_path, "a", "b")
    finish(second, Record(second.name, "b", "b", 0, status="failed", error="NaN", extra={"identity": "5eed"}))
    assert take_over_one(first) is None
    other = tmp_path / "c" / "cell-5eed"  # the same end of a name, by chance
    begin(other, {"identity": "other 5eed"})
    finish(other, Record(other.name, "c", "c", 0, extra={"identity": "other 5eed"}))
    lease = take(other)
    assert lease is not None
    assert at_work(first) is None
    assert take_over_one(first) is None
    lease.release()


def test_weights_that_were_not_kept_are_not_taken_for_kept_ones(tmp_path: Path) -> None:
    first, second = equal_runs(tmp_path, "a", "b")
    finish(second, Record(second.name, "b", "b", 0, extra={"identity": "5eed"}))
    assert take_over_one(first) is None
    (tmp_path / "a" / "suite.json").write_text(json.dumps({"needed": [first.name]}))
    assert take_over_one(first, "none") is None
    (tmp_path / "a" / "suite.json").write_text("{}")
    taken = take_over_one(first, "none")
    assert taken is not None
    assert taken.extra["origin"] == {"suite": "b", "run_id": second.name}
