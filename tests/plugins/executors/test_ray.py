"""Runs on a local Ray cluster: equal records, a killed worker's run given out again, options checked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray")

from tests.plugins.executors.equal import SELECTED, TINY, left_over, outcomes, run


def test_a_local_cluster_gives_equal_records_though_a_worker_is_killed(inline: dict[str, Any], tmp_path: Path) -> None:
    """SIGKILL to the Ray worker that is at a run."""
    results = tmp_path / "results"
    line = ["run", str(TINY), "--results", str(results), *SELECTED, "--executor", "ray:cpus=1", "--jobs", "2"]
    told = os.environ | {"DALR_BENCH_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "dalr_bench", *line, "--device", "cpu"]
    with subprocess.Popen(command, env=told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as grid:
        os.kill(worker_at_work(grid, results), signal.SIGKILL)
        out, err = grid.communicate(timeout=400)
    assert grid.returncode == 0, err
    assert "(lost): its Ray worker is gone" in err
    assert "ranked" in out
    assert outcomes(results) == inline
    assert not left_over(results)


def worker_at_work(grid: subprocess.Popen[str], results: Path) -> int:
    """The process that marked a run folder as its own."""
    for _ in range(2400):
        assert grid.poll() is None, grid.communicate()
        for actor in actors():
            return actor
        time.sleep(0.05)
    raise AssertionError("no run began")


def actors() -> list[int]:
    """Ray names a worker process by the method it is in."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"ray::Actor.run" in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_no_room_for_a_run_is_said(tmp_path: Path) -> None:
    done = run(tmp_path, "ray:cpus=64", "--only", "untrained", "--jobs", "1")
    assert done.returncode == 3
    assert "has no room for one run: it has CPU 1" in done.stderr
    assert "Traceback" not in done.stderr


def test_options_are_the_signature(tmp_path: Path) -> None:
    done = run(tmp_path, "ray:adress=auto", "--only", "untrained")
    assert done.returncode == 2
    assert "executor 'ray' has no such option. Did you mean 'address'?" in done.stderr


_CLUSTER = """
import os, ray
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
told = ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20)
print("at", told.address_info["gcs_address"], flush=True)
input()
print("alive", sum(node["Alive"] for node in ray.nodes()), flush=True)
ray.shutdown()
"""


def test_a_running_cluster_is_joined_by_its_address_and_left_alone(inline: dict[str, Any], tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _CLUSTER], stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, text=True
    ) as cluster:
        assert cluster.stdout is not None
        address = next(line.split()[1] for line in cluster.stdout if line.startswith("at "))
        done = run(tmp_path / "results", f"ray:address={address}", "--only", "untrained", "--seed", "0")
        out, _ = cluster.communicate("\n", timeout=200)
    assert done.returncode == 0, done.stderr
    assert "alive 1" in out
    found = outcomes(tmp_path / "results")
    assert len(found) == 1
    assert found.items() <= inline.items()
