"""`plan --probe` on a small suite: every shape measured by real steps, kept for the next plan, and beside what runs took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dalr_bench.cli.main import main

SUITE = f"""
extends: {Path(__file__).parent / "suites" / "tiny.yaml"}
suite: probed
seeds: [0, 1]
base: {{train: {{steps: 60, dev_every: 20, log_every: 5}}}}
ablate: {{baseline: null}}
"""


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return int(left.value.code or 0), captured.out, captured.err


def test_a_probe_measures_each_shape_once_and_the_estimate_stands_beside_what_it_took(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.yaml").write_text(SUITE)
    suite, results = tmp_path / "s.yaml", tmp_path / "results"
    before = json.loads(call(capsys, "plan", suite, "--results", results, "--json")[1])
    assert before["total"]["wall_seconds"] is not None  # the backbone tells its size: a model, and it says so
    assert before["total"]["sources"] == ["model"] or before["total"]["seconds"] is None
    code, out, err = call(capsys, "plan", suite, "--results", results, "--probe", "--jobs", "2", "--json")
    assert code == 0, err
    plan = json.loads(out)
    assert {run["estimate"]["source"] for run in plan["runs"]} == {"probe"}
    assert plan["total"]["sources"] == ["probe"]
    assert plan["total"]["workers"] == 2
    ranked = next(run["estimate"] for run in plan["runs"] if run["variant"] == "ranked")
    assert ranked["steps"] == 60
    assert min(ranked[key] for key in ("seconds", "memory_bytes", "disk_bytes")) > 0
    # By hand: 5 runs, 2 at once; no more than one after another, no less than half of that.
    one_by_one = sum(run["estimate"]["seconds"] for run in plan["runs"])
    start = plan["total"]["wall_seconds"]
    assert one_by_one / 2 <= start
    assert not results.exists()  # nothing of a probe is taken for a result
    assert not list((tmp_path / "cache" / "probes").glob("run-*"))
    again = json.loads(call(capsys, "plan", suite, "--results", results, "--probe", "--jobs", "2", "--json")[1])
    assert again == plan  # nothing is measured twice
    code, _, err = call(capsys, "run", suite, "--results", results, "--jobs", "2", "--seed", "0")
    assert code == 0, err
    assert "; the estimate was " in err
    assert "(from: probe)" in err
    beside = [both(path) for path in results.glob("probed/*/record.json")]
    assert len(beside) == 4
    assert all(estimate["source"] == "probe" and estimate["seconds"] > 0 and took > 0 for estimate, took in beside)
    assert "runs took" in call(capsys, "status", results)[1]
    later = json.loads(call(capsys, "plan", suite, "--results", results, "--json")[1])
    assert later["total"]["sources"] == ["recorded"]


def both(path: Path) -> tuple[dict[str, Any], float]:
    record = json.loads(path.read_text())
    return record["estimate"], record["seconds"]["total"]
