"""One run of the smallest suite with a tracker and without: what tests of trackers look at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dalr_bench.cli.main import main
from dalr_bench.train import weights

TINY = Path(__file__).parent / "suites" / "tiny.yaml"


def trained(results: Path, *arguments: str, only: str = "baseline") -> Path:
    """The folder of the one finished run of a variant, seed 0."""
    words = [
        "run",
        str(TINY),
        "--results",
        str(results),
        "--only",
        only,
        "--seed",
        "0",
        "--executor",
        "inline",
        "--device",
        "cpu",
        *arguments,
    ]
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 0
    return next((results / "tiny").glob(f"{only}-*"))


def steps_of(folder: Path) -> list[dict[str, Any]]:
    """The logged steps of a run."""
    return [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]


def same_weights(*folders: Path) -> bool:
    """Whether runs came to the same weights, to the bit."""
    return len({weights.digest(folder) for folder in folders}) == 1


def points(steps: Sequence[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    """One logged value by step."""
    return [(line["step"], line[name]) for line in steps]
