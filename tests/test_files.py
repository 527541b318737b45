"""docs/reference/files.md names every file and key a real run writes, and no other; the pages on exit codes and variables too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pages import ROOT, run_line

from dalr_bench import errors

REFERENCE = ROOT / "docs" / "reference"
# Written only when something goes on or went wrong.
NOT_ALWAYS = {"RUN/lease-N.json", "RUN/error.txt", "RUN/checkpoints/STEP/", "RUN/execution.json", "RUN/retries.json"}


def named(heading: str) -> set[str]:
    """What stands between backticks in the first column of the table below a heading."""
    text = (REFERENCE / "files.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert rows, heading
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def records(results: Path) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in sorted(results.glob("*/record.json"))]
    assert len(found) > 10
    return found


def keys(documents: Iterable[dict[str, Any]]) -> set[str]:
    return {key for document in documents for key in document}


def test_the_files_of_a_results_folder(workplace: Path) -> None:
    results = workplace / "results" / "ablation-smoke"
    folders = {path.parent.name for path in results.glob("*/record.json")}
    there = set()
    for path in results.rglob("*"):
        first, *rest = path.relative_to(results).parts
        if path.is_dir() or rest[:1] == ["model"]:
            continue
        assert first in folders or not rest
        name = "/".join(["RUN", *rest]) if rest else first
        there.add("RUN/predictions/TASK.parquet" if "predictions" in name else name)
    assert there | {"RUN/model/"} | NOT_ALWAYS == named("results/SUITE")


def test_the_keys_of_a_record_and_of_a_score(workplace: Path) -> None:
    found = records(workplace / "results" / "ablation-smoke")
    assert keys(found) | {"exit_code", "trouble"} == named("record.json")
    assert keys(score for record in found for score in record["scores"]) == named("A score")
    assert {record["status"] for record in found} == {"done"}


def test_a_failed_run_has_its_error_and_exit_code(tmp_path: Path) -> None:
    (tmp_path / "fails.yaml").write_text(
        "suite: fails\nbase:\n  backbone: {name: hf, layers: 1, hidden: 16, heads: 2, feed_forward: 16}\n"
        "  streams: {pairs: {name: scenes, scenes: 20}}\n  losses: {info: infonce}\n"
        "  train: {steps: 3, batch: 8, lr: 1e30, clip: 0}\n  evaluate: [{name: scenes, pairs: 50, probes: false}]\n"
    )
    assert run_line("dalr-bench run fails.yaml", tmp_path).code == errors.EXIT_TRAINING
    (folder,) = (path.parent for path in (tmp_path / "results" / "fails").glob("*/record.json"))
    record = json.loads((folder / "record.json").read_text())
    assert record["status"] == "failed"
    assert record["exit_code"] == errors.EXIT_TRAINING
    assert set(record) <= named("record.json")
    assert f"RUN/{(folder / 'error.txt').name}" in named("results/SUITE")


def test_the_keys_of_the_suites_summary_and_of_a_step(workplace: Path) -> None:
    results = workplace / "results" / "ablation-smoke"
    assert set(json.loads((results / "suite.json").read_text())) == named("suite.json")
    folder = next(results.glob("DALR*"))
    terms = set(json.loads((folder / "config.json").read_text())["losses"])
    logged = keys(json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines())
    own = {key for key in logged if key.partition(".")[0] not in terms}
    assert terms <= logged
    assert own | {"TERM"} == named("steps.jsonl")


def test_what_json_prints(workplace: Path) -> None:
    plan = json.loads(run_line("dalr-bench plan suites/ablation.yaml --smoke --json", workplace).out)
    assert keys(plan["runs"]) == named("plan --json")
    assert {run["state"] for run in plan["runs"]} == {"done", "duplicate"}
    table = json.loads(run_line("dalr-bench table results/ablation-smoke --format json", workplace).out)
    assert keys(table["rows"]) == named("table --format json")


def test_every_exit_code_is_explained() -> None:
    page = (REFERENCE / "exit-codes.md").read_text(encoding="utf-8")
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert told == {value for name, value in vars(errors).items() if name.startswith("EXIT_")}


def test_every_variable_is_explained() -> None:
    page = (REFERENCE / "environment.md").read_text(encoding="utf-8")
    read = {
        name
        for folder in ("dalr_bench", "plugins/dalr_bench_plugins", "tests")
        for path in (ROOT / folder).rglob("*.py")
        for name in re.findall(r"\bDALR_BENCH_[A-Z]+(?:_[A-Z]+)*\b", path.read_text(encoding="utf-8"))
    }
    assert len(read) >= 4
    assert read == set(re.findall(r"\bDALR_BENCH_[A-Z]+(?:_[A-Z]+)*\b", page))
