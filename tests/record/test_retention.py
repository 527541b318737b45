from __future__ import annotations

import json
from pathlib import Path

import pytest

from dalr_bench.record.retention import needed_runs, tidy


@pytest.fixture
def run(tmp_path: Path) -> Path:
    place = tmp_path / "run"
    for folder in ("checkpoints/000000010", "scored", "model", "predictions"):
        (place / folder).mkdir(parents=True)
    for name in ("weights.safetensors", "record.json", "scored/a.json"):
        (place / name).write_text("{}")
    return place


@pytest.mark.parametrize(
    ("retain", "stays"),
    [
        ("best", {"model", "predictions", "weights.safetensors", "record.json"}),
        ("last", {"checkpoints", "model", "predictions", "weights.safetensors", "record.json"}),
        ("none", {"predictions", "record.json"}),
    ],
)
def test_what_stays(run: Path, retain: str, stays: set[str]) -> None:
    tidy(run, retain)
    assert {path.name for path in run.iterdir()} == stays
    tidy(run, retain)
    assert {path.name for path in run.iterdir()} == stays


def test_who_is_needed_keeps_its_weights(run: Path) -> None:
    assert needed_runs(run.parent) == set()
    (run.parent / "suite.json").write_text(json.dumps({"needed": ["run"]}))
    tidy(run, "none")
    assert {path.name for path in run.iterdir()} == {"model", "predictions", "weights.safetensors", "record.json"}


@pytest.mark.parametrize("text", ["{", "[]", '{"needed": 3}'])
def test_a_damaged_summary_names_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "suite.json").write_text(text)
    assert needed_runs(tmp_path) == set()
