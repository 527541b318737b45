"""A run tried again with less memory: the same run, other settings of its execution, both in the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dalr_bench.cli.main import main
from dalr_bench.record.execution import write_execution

TINY = Path(__file__).parents[1] / "suites" / "tiny.yaml"
ONE = ["--only", "baseline", "--seed", "0", "--executor", "inline", "--set", "backbone.hidden_dropout=0.0"]


def run(results: Path, *extra: str) -> tuple[Path, dict[str, Any]]:
    with pytest.raises(SystemExit) as left:
        main(["run", str(TINY), "--results", str(results), *ONE, *extra])
    assert left.value.code == 0
    (folder,) = (results / "tiny").glob("baseline*/")
    return folder, json.loads((folder / "record.json").read_text())


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "steps.jsonl").read_text().splitlines()]


def test_the_next_attempt_goes_in_pieces_and_says_so(tmp_path: Path) -> None:
    folder, whole = run(tmp_path / "a")
    curve = losses(folder)
    assert (whole["micro_batch"], whole["gradient_checkpointing"]) == (None, False)
    write_execution(tmp_path / "b" / "tiny" / folder.name, micro_batch=3, gradient_checkpointing=True)
    again, pieces = run(tmp_path / "b")
    assert again.name == folder.name
    assert (pieces["micro_batch"], pieces["gradient_checkpointing"]) == (3, True)
    assert losses(again) == pytest.approx(curve, rel=1e-5)


def test_the_suite_may_ask_for_it_and_the_run_keeps_its_name(tmp_path: Path) -> None:
    folder, _ = run(tmp_path / "a")
    pieces, record = run(tmp_path / "b", "--set", "train.micro_batch=2")
    assert pieces.name == folder.name
    assert record["micro_batch"] == 2


def test_pieces_that_a_retry_asks_for_and_the_suite_cannot_have_are_one_line(tmp_path: Path) -> None:
    """Gradient analysis needs the whole batch's graph: the command refuses the pair, and so does the attempt."""
    line = ["run", str(TINY), "--results", str(tmp_path), *ONE, "--set", "train.gradients_every=2"]
    with pytest.raises(SystemExit) as left:
        main([*line, "--set", "train.micro_batch=2"])
    assert left.value.code == 2
    folder, _ = run(tmp_path / "name")
    write_execution(tmp_path / "tiny" / folder.name, micro_batch=2)
    with pytest.raises(SystemExit) as left:
        main(line)
    record = json.loads((tmp_path / "tiny" / folder.name / "record.json").read_text())
    assert (left.value.code, record["exit_code"]) == (1, 2)
    assert record["error"] == "train: `gradients_every` needs the graph of the whole batch: leave out `micro_batch`"
