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


def test_gradients_are_looked_at_in_pieces_too(tmp_path: Path) -> None:
    """A run that is tried again with half the memory has the same columns; two processes are in test_torchrun."""
    looking = ("--set", "train.gradients_every=2")
    folder, _ = run(tmp_path / "a", *looking)
    write_execution(tmp_path / "b" / "tiny" / folder.name, micro_batch=3)
    again, record = run(tmp_path / "b", *looking)
    assert (record["micro_batch"], record["costs"]["gradients"]["share"]) == (3, 0.5)
    seen, whole = (
        [json.loads(line).get("grad(info)") for line in (each / "steps.jsonl").read_text().splitlines()]
        for each in (again, folder)
    )
    assert [value is not None for value in whole] == [number % 2 == 0 for number in range(len(whole))]
    assert seen[0] == pytest.approx(whole[0], rel=1e-5)
    # Later steps have weights that rounding moved apart.
    assert [x for x in seen if x] == pytest.approx([x for x in whole if x], rel=0.01)


def test_settings_of_an_attempt_that_cannot_be_are_one_line(tmp_path: Path) -> None:
    folder, _ = run(tmp_path / "name")
    write_execution(tmp_path / "tiny" / folder.name, micro_batch=0)
    with pytest.raises(SystemExit) as left:
        main(["run", str(TINY), "--results", str(tmp_path), *ONE])
    record = json.loads((tmp_path / "tiny" / folder.name / "record.json").read_text())
    assert (left.value.code, record["exit_code"]) == (1, 2)
    assert record["error"] == "train.micro_batch: Input should be greater than or equal to 1"
