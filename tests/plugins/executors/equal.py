"""One small suite through an executor, and its records without what time and place change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from dalr_bench.train import weights

TINY = Path(__file__).parents[2] / "suites" / "tiny.yaml"
SELECTED = ("--only", "ranked", "--only", "untrained", "--seed", "0")
RUNS = 4  # these two, and the two teachers that `ranked` needs
PLACE = ("seconds", "environment", "bytes", "costs", "retries", "estimate")


def run(
    results: Path, executor: str, *more: str | Path, suite: Path = TINY, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`dalr-bench run` in a process of its own, as a user starts it."""
    line = [sys.executable, "-m", "dalr_bench", "run", str(suite), "--results", str(results), "--executor", executor]
    told = os.environ | {"DALR_BENCH_CACHE": str(results.parent / "cache")} | environment
    return subprocess.run(
        [*line, "--device", "cpu", *map(str, more)], capture_output=True, text=True, env=told, timeout=500
    )


def outcomes(results: Path) -> dict[str, dict[str, Any]]:
    """Records by run: scores, curve, hash of the weights; and the weights' own hash, of the file that is there."""
    found = {}
    for path in sorted(results.glob("*/*/record.json")):
        record = {key: value for key, value in json.loads(path.read_text()).items() if key not in PLACE}
        found[path.parent.name] = {**record, "weights on disk": weights.digest(path.parent)}
    return found


def left_over(results: Path) -> list[str]:
    """Files that belong to no finished run."""
    return [
        str(path.relative_to(results))
        for path in results.rglob("*")
        if path.name.startswith(".") or path.suffix == ".pkl"
    ]
