"""Accounting and gradient analysis through the command line: the same runs, the same weights to the bit, more known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dalr_bench.cli.main import main
from dalr_bench.record.results import read_results
from dalr_bench.report.curves import conflicts
from dalr_bench.report.runs import read_runs

TINY = Path(__file__).parent.parent / "suites" / "tiny.yaml"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Results of one variant and its teachers, looked at in every way and in none."""
    folders = []
    for account, gradients in ((1, 3), (0, 0)):
        folder = tmp_path_factory.mktemp("looked" if account else "unseen")
        given = [f"train.account_every={account}", f"train.gradients_every={gradients}", "train.steps=6"]
        settings = [word for each in given for word in ("--set", each)]
        words = ["--only", "ranked", "--seed", "0", "--executor", "inline", "--results", str(folder)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DALR_BENCH_CACHE", str(folder / "cache"))
            with pytest.raises(SystemExit) as left:
                main(["run", str(TINY), *words, *settings])
        assert left.value.code == 0
        folders.append(folder / "tiny")
    return folders[0], folders[1]


def records(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/record.json")}


def test_the_weights_are_equal_to_the_bit_and_the_runs_the_same(both: tuple[Path, Path]) -> None:
    looked, unseen = map(records, both)
    assert len(looked) == 3
    assert {run: record["weights"] for run, record in looked.items()} == {
        run: record["weights"] for run, record in unseen.items()
    }


def test_the_record_says_what_each_part_cost_and_never_zero_for_unknown(both: tuple[Path, Path]) -> None:
    looked, unseen = ({record["variant"]: record["costs"] for record in records(folder).values()} for folder in both)
    costs = looked["ranked"]
    parts = {"step", "batch", "student", "spaces", "optimizer"}
    assert parts | {f"losses.{name}" for name in ("info", "grounding", "listmle", "cma")} <= set(costs)
    for name in parts:
        assert costs[name]["ms_per_step"] > 0, name
        assert costs[name]["peak_bytes"] > 0, name
        assert costs[name]["joules_per_step"] is None, "no counter on a CPU"
    for stage in ("prepare", "teachers", "train", "dev", "score"):
        assert costs[stage]["seconds"] > 0
        assert costs[stage]["cpu_seconds"] > 0
        assert costs[stage]["gpu_seconds"] is None
        assert costs[stage]["joules"] is None
    assert costs["gradients"]["ms_per_step"] > 0
    assert not {"step", "losses.info", "gradients"} & set(unseen["ranked"])
    assert unseen["ranked"]["train"]["seconds"] > 0


def test_the_report_reads_the_cosines_that_the_run_wrote(both: tuple[Path, Path]) -> None:
    results = read_results(both[0])
    found = conflicts(read_runs(results)).records()
    run = next(name for name, record in results.records.items() if record.variant == "ranked")
    lines = [json.loads(line) for line in (both[0] / run / "steps.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "cosine(info, listmle)" in line]
    assert [line["step"] for line in steps] == [1, 4]
    drawn = [row["value"] for row in found if row["run"] == run and row["pair"] == "cosine(info, listmle)"]
    assert drawn == pytest.approx([line["cosine(info, listmle)"] for line in steps], rel=1e-4)
