"""`train.compile` and `bench train --compile` where they cannot be: one line and the contract's exit code, before any step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dalr_bench.cli.main import main

TINY = Path(__file__).parent.parent / "suites" / "tiny.yaml"


SUITE = """
suite: small
base:
  backbone: {name: hf, layers: 1, hidden: 16, heads: 2, feed_forward: 16}
  streams: {text: {name: scenes, scenes: 24, captions: 2}}
  losses: {info: {name: infonce}}
  train: {steps: 3, batch: 8, compile: graphs}
  evaluate: [scenes]
ablate: {baseline: {}}
"""


def test_graphs_on_a_cpu_fail_before_anything_is_prepared(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SUITE)
    line = ["run", str(tmp_path / "small.yaml"), "--results", str(tmp_path), "--executor", "inline", "--device", "cpu"]
    with pytest.raises(SystemExit) as left:
        main(line)
    (run,) = tmp_path.glob("small/baseline-*")
    record: dict[str, Any] = json.loads((run / "record.json").read_text())
    assert not (run / "steps.jsonl").exists()
    assert (left.value.code, record["exit_code"], record["status"]) == (2, 2, "failed")
    assert record["error"] == "train.compile: graphs: CUDA graphs need a CUDA device, and this run is on cpu; take default"


def test_what_graphs_cannot_hold_is_a_fault_of_the_suite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["plan", str(TINY), "--results", str(tmp_path), "--set", "train.compile=graphs", "--set", "train.micro_batch=4"])
    assert left.value.code == 2
    assert "leave out `micro_batch`" in capsys.readouterr().err


def test_the_race_refuses_it_beforehand(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["bench", "train", "--compile", "graphs", "--device", "cpu"])
    assert left.value.code == 2
    assert capsys.readouterr().err.strip().endswith("take default")
