"""Scoring that was interrupted goes on at the next task, and ends in the record of a run that nobody disturbed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from commanded import call, outcome, records

from dalr_bench.train.engine import Engine
from dalr_bench_plugins.evaluators.scenes import Scenes
from dalr_bench_plugins.evaluators.sts import Sts
from dalr_bench_plugins.senteval.pairs import YEARS

TINY = Path(__file__).parents[1] / "suites" / "tiny.yaml"


def test_evaluators_are_asked_once_and_training_is_not_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second evaluator breaks once. The retry trains nothing, keeps the first one's scores and ends in the record of a whole run."""
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / "cache"))
    suite = tmp_path / "two.yaml"
    twice = ", ".join(f"{{name: scenes, pairs: {pairs}, probes: false}}" for pairs in (60, 80))
    suite.write_text(f"extends: {TINY}\nsuite: two\nseeds: [0]\nbase:\n  evaluate: [{twice}]\n")
    line = ["run", suite, "--only", "baseline", "--executor", "inline"]
    assert call(capsys, *line, "--results", tmp_path / "whole")[0] == 0
    counts = {"evaluate": 0, "train": 0}
    evaluate, train = Scenes.evaluate, Engine.train

    def breaking(self: Any, subject: Any) -> Any:
        counts["evaluate"] += 1
        if counts["evaluate"] == broken_at:
            raise RuntimeError("the disk is full")
        return evaluate(self, subject)

    def counting(self: Any, watch: Any, saver: Any) -> Any:
        counts["train"] += 1
        return train(self, watch, saver)

    # The teacher checks dev once and scores twice, the student checks twice: its second score is the seventh call.
    broken_at = 7
    monkeypatch.setattr(Scenes, "evaluate", breaking)
    monkeypatch.setattr(Engine, "train", counting)
    code, _, err = call(capsys, *line, "--results", tmp_path / "broken")
    assert (code, counts["train"]) == (1, 2), err
    (failed,) = (record for record in records(tmp_path / "broken").values() if record["status"] == "failed")
    folder = tmp_path / "broken" / "two" / failed["run_id"]
    assert [path.name for path in (folder / "scored").iterdir()] == ["scenes.json"]
    counts["evaluate"] = broken_at
    code, _, err = call(capsys, *line, "--results", tmp_path / "broken")
    assert code == 0, err
    assert counts == {"evaluate": broken_at + 1, "train": 2}
    whole, resumed = records(tmp_path / "whole"), records(tmp_path / "broken")
    assert {name: outcome(record) for name, record in whole.items()} == {
        name: outcome(record) for name, record in resumed.items()
    }
    assert not (folder / "scored").exists()


def tree(folder: Path) -> Path:
    """Three sets of the SentEval tree, a few pairs each."""
    for task in ("STS13", "STS14", "STS15"):
        place = folder / "downstream" / "STS" / f"{task}-en-test"
        place.mkdir(parents=True)
        for name in YEARS[task]:
            pairs = [f"red ball {task}\tball {name}", f"blue ball\ta {name}", "a dog\ta cat", "red\tblue"]
            (place / f"STS.input.{name}.txt").write_text("\n".join(pairs) + "\n")
            (place / f"STS.gs.{name}.txt").write_text("4\n3\n1\n0\n")
    return folder


def test_sets_of_one_evaluator_are_scored_once_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / "cache"))
    suite, sets = tmp_path / "sets.yaml", "[STS13, STS14, STS15]"
    entry = f"{{name: sts, sets: {sets}, sizes: any, root: {tree(tmp_path / 'data')}}}"
    suite.write_text(f"extends: {TINY}\nsuite: sets\nseeds: [0]\nbase:\n  evaluate: [{entry}]\n")
    line = ["run", suite, "--only", "untrained", "--executor", "inline"]
    assert call(capsys, *line, "--results", tmp_path / "whole")[0] == 0
    scored: list[str] = []
    evaluate = Sts.evaluate

    def breaking(self: Any, subject: Any) -> Any:
        scored.append(self.sets[0].task)
        if len(scored) == 2:
            raise RuntimeError("a power cut")
        return evaluate(self, subject)

    monkeypatch.setattr(Sts, "evaluate", breaking)
    assert call(capsys, *line, "--results", tmp_path / "broken")[0] == 1
    assert call(capsys, *line, "--results", tmp_path / "broken")[0] == 0
    assert scored == ["STS13", "STS14", "STS14", "STS15"]
    whole, resumed = records(tmp_path / "whole"), records(tmp_path / "broken")
    assert {name: outcome(record) for name, record in whole.items()} == {
        name: outcome(record) for name, record in resumed.items()
    }
    (folder,) = (path.parent for path in (tmp_path / "broken").glob("*/*/record.json"))
    assert sorted(path.stem for path in (folder / "predictions").iterdir()) == ["STS13", "STS14", "STS15"]
