"""What the mteb evaluator filed for a run goes with its exported model, under its own revision and nobody else's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dalr_bench.cli.main import main

mteb = pytest.importorskip("mteb")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def test_results_are_laid_beside_the_model(tmp_path: Path) -> None:
    words = ["red", "blue", "green", "circle", "square", "star", "above", "small", "two"]
    pairs = [(" ".join(words[i % 7 :: 2]), " ".join(words[i % 5 :: 3])) for i in range(40)]
    rows = [{"sentence1": one, "sentence2": two, "score": float(i % 6)} for i, (one, two) in enumerate(pairs)]
    (tmp_path / "data" / "STS12").mkdir(parents=True)
    (tmp_path / "data" / "STS12" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "suite.yaml").write_text(
        "suite: filed\nbase:\n  backbone: {name: hf, layers: 1, hidden: 8, heads: 1, feed_forward: 8}\n"
        "  streams: {pairs: {name: scenes, scenes: 24}}\n  losses: {info: infonce}\n  train: {steps: 1, batch: 4}\n"
        f"  evaluate: [{{name: mteb, tasks: [STS12], root: data, results: {tmp_path / 'filed'}}}]\n"
        "ablate: {one: {}, two: {train.steps: 3}}\n"
    )
    words = ["--results", str(tmp_path / "r"), "--executor", "inline", "--device", "cpu"]
    with pytest.raises(SystemExit) as left:
        main(["run", str(tmp_path / "suite.yaml"), *words])
    assert left.value.code == 0
    assert len(list((tmp_path / "filed").rglob("STS12.json"))) == 2
    for variant in ("one", "two"):
        with pytest.raises(SystemExit) as left:
            main(["export", str(tmp_path / "r"), variant, "--to", str(tmp_path / variant)])
        assert left.value.code == 0
        record = json.loads(next((tmp_path / "r" / "filed").glob(f"{variant}-*/record.json")).read_text())
        (found,) = (tmp_path / variant / "mteb").rglob("STS12.json")
        assert record["subject"] in found.parts
        (score,) = record["scores"]
        filed = json.loads(found.read_text())["scores"]["test"][0]["main_score"]
        assert filed == pytest.approx(score["value"], abs=1e-6)
        place = found.relative_to(tmp_path / variant / "mteb").parts
        assert place[:3] == ("results", "dalr-bench__student", record["subject"])  # where the library's cache looks
        assert mteb.TaskResult.from_disk(found).get_score() == pytest.approx(filed)
