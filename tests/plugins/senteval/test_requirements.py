"""Which folders of SentEval's tree an evaluator needs, there or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dalr_bench.plugin.manager import load
from dalr_bench_plugins.evaluators.senteval import SEVEN, SentEval
from dalr_bench_plugins.evaluators.sts import Sts
from dalr_bench_plugins.senteval.requirements import PLACES, set_requirements


def test_no_tree_is_one_requirement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DALR_BENCH_DATA", raising=False)
    assert [item.name for item in set_requirements({"root": None}, ["MR"])] == ["$DALR_BENCH_DATA/downstream"]
    found = set_requirements({"root": str(tmp_path)}, ["MR", "CR"])
    assert [item.name for item in found] == [f"{tmp_path}/downstream"]
    assert "DALR_BENCH_DATA" in found[0].how


def test_sets_of_a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tmp_path / "senteval" / "downstream"
    tree.mkdir(parents=True)
    monkeypatch.setenv("DALR_BENCH_DATA", str(tmp_path))
    options = {"root": None, "languages": None, "split": "dev", "sets": None, "tasks": None, "probing": False}
    assert [item.name for item in Sts.requires(options)] == [f"{tree}/STS/STSBenchmark"]
    assert len(Sts.requires({**options, "split": "test"})) == 7
    assert [item.name for item in SentEval.requires(options)] == [f"{tree}/{PLACES[name]}" for name in SEVEN]
    assert [item.name for item in SentEval.requires({**options, "tasks": ["SICK-E"]})] == [f"{tree}/SICK"]
    probing = SentEval.requires({**options, "tasks": [], "probing": True})
    assert [item.name for item in probing] == [f"{tmp_path}/probing"]


def test_places_are_where_the_loaders_look(shared: Path) -> None:
    tree = shared / "data" / "senteval" / "downstream"
    assert all((tree / place).is_dir() for name, place in PLACES.items() if name != "SST5")
    assert hasattr(load().catalogue.get("evaluator", "geometry").factory, "requires")
