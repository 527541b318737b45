"""`train.compile` and `bench train --compile` where they cannot be: one line and the contract's exit code, before any step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dalr_bench.cli.main import main

TINY = Path(__file__).parent.parent / "suites" / "tiny.yaml"


def run(results: Path, *settings: str) -> tuple[int, dict[str, Any]]:
    """Exit code and the record of the only run."""
    line = ["run", str(TINY), "--results", str(results), "--executor", "inline", "--only", "baseline", "--seed", "0", "--device", "cpu"]
    with pytest.raises(SystemExit) as left:
        main([*line, *(word for setting in settings for word in ("--set", setting))])
    (found,) = results.glob("tiny/baseline-*/record.json")
    assert not (found.parent / "steps.jsonl").exists()
    return int(left.value.code or 0), json.loads(found.read_text())


def test_graphs_on_a_cpu_fail_before_anything_is_prepared(tmp_path: Path) -> None:
    code, record = run(tmp_path, "losses.grounding=null", "train.compile=graphs")
    assert (code, record["exit_code"], record["status"]) == (2, 2, "failed")
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
