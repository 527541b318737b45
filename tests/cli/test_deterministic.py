"""`run --deterministic`: two processes, one seed, the same weights to the bit; workers inherit it; the record says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

TINY = Path(__file__).parent.parent / "suites" / "tiny.yaml"


def run(folder: Path, *extra: str) -> dict[str, dict[str, Any]]:
    words = ["run", str(TINY), "--only", "baseline", "--seed", "0", "--results", str(folder), *extra]
    environment = {**os.environ, "DALR_BENCH_CACHE": str(folder / "cache")}
    environment.pop("OMP_NUM_THREADS")  # inline then has all cores, and a worker its share: sums would be cut otherwise
    command = [sys.executable, "-m", "dalr_bench", *words]
    subprocess.run(command, check=True, capture_output=True, env=environment, timeout=300)
    found = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("tiny/*/record.json")}
    assert len(found) == 2
    return found


def test_a_seed_gives_the_same_weights_in_another_process(tmp_path: Path) -> None:
    here = run(tmp_path / "here", "--deterministic", "--executor", "inline")
    worker = run(tmp_path / "worker", "--deterministic", "--executor", "local", "--jobs", "1")
    assert {run: record["weights"] for run, record in here.items()} == {
        run: record["weights"] for run, record in worker.items()
    }
    for record in (*here.values(), *worker.values()):
        assert record["environment"]["deterministic"] is True
        assert record["environment"]["threads"] == 1


def test_torch_refuses_what_cannot_be_repeated() -> None:
    code = (
        "import os, torch; from dalr_bench.train.device import choose; choose('cpu');"
        "print(torch.are_deterministic_algorithms_enabled(), os.environ.get('CUBLAS_WORKSPACE_CONFIG'))"
    )
    for asked, answer in (("1", "True :4096:8"), ("0", "False None")):
        environment = {key: value for key, value in os.environ.items() if key != "CUBLAS_WORKSPACE_CONFIG"}
        environment["DALR_BENCH_DETERMINISTIC"] = asked
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        assert done.stdout.strip() == answer


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_a_seed_gives_the_same_weights_in_another_process(tmp_path: Path) -> None:
    first = run(tmp_path / "a", "--deterministic", "--device", "cuda")
    second = run(tmp_path / "b", "--deterministic", "--device", "cuda")
    assert {record["weights"] for record in first.values()} == {record["weights"] for record in second.values()}
