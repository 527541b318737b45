"""Which folders of SentEval's tree an evaluator needs, there or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dalr_bench.errors import DataError
from dalr_bench.plugin.manager import load
from dalr_bench.suite import expand, fingerprint
from dalr_bench.suite import load as load_suite
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


SUITE = """suite: judged
base:
  backbone: {name: bag_of_words}
  streams: {pairs: {name: scenes, scenes: 4, captions: 2}}
  train: {steps: 0}
  evaluate: [{name: %s, sizes: any%s}]
"""


def trees(folder: Path) -> Path:
    """Two sets of SentEval's tree and one that nobody asks for, by a few lines each."""
    tree = folder / "downstream"
    files = {
        "STS/STSBenchmark/sts-test.csv": "a\tb\tc\td\t3\tone\tother\n",
        "CR/custrev.pos": "good\n",
        "CR/custrev.neg": "bad\n",
        "TREC/TREC_10.label": "NUM:x how many\n",
    }
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    return tree


@pytest.mark.parametrize(
    ("evaluator", "options", "mine"),
    [
        ("sts", ", sets: [STS-B]", "STS/STSBenchmark/sts-test.csv"),
        ("senteval", ", tasks: [CR]", "CR/custrev.neg"),
        ("geometry", ", split: test", "STS/STSBenchmark/sts-test.csv"),
    ],
)
def test_the_sets_a_run_is_scored_on_count_and_not_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evaluator: str, options: str, mine: str
) -> None:
    path = tmp_path / "judged.yaml"
    catalogue = load().catalogue

    def identity(more: str = "") -> str:
        path.write_text(SUITE % (evaluator, options + more))
        (found,) = expand(load_suite(path), catalogue).identities.values()
        return found

    monkeypatch.delenv("DALR_BENCH_DATA", raising=False)
    with pytest.raises(DataError, match="nothing to score on"):
        identity()
    here, there = (trees(tmp_path / name) for name in ("here", "there"))
    monkeypatch.setenv("DALR_BENCH_DATA", str(here.parent))
    first = identity()
    monkeypatch.setenv("DALR_BENCH_DATA", str(there.parent))
    assert identity() == first
    monkeypatch.delenv("DALR_BENCH_DATA")
    assert identity(f", root: {here.parent}") == first
    (here / "TREC" / "TREC_10.label").write_text("NUM:x how much\n")
    assert identity(f", root: {here.parent}") == first  # nobody is scored on it
    (here / mine).write_text((here / mine).read_text().replace("o", "0").replace("a", "4"))
    assert identity(f", root: {here.parent}") != first


def test_pairs_of_other_languages_count_too(tmp_path: Path) -> None:
    file = tmp_path / "mteb" / "stsb_multi_mt" / "de-test.jsonl"
    file.parent.mkdir(parents=True)
    options = {"root": str(tmp_path), "languages": ["de", "fr"], "split": "test", "sets": None}
    assert Sts.identity(options) == {"root": {"de": None, "fr": None}}
    file.write_text("{}\n")
    assert Sts.identity(options) == {"root": {"de": fingerprint(file), "fr": None}}


def test_places_are_where_the_loaders_look(shared: Path) -> None:
    tree = shared / "data" / "senteval" / "downstream"
    assert all((tree / place).is_dir() for name, place in PLACES.items() if name != "SST5")
    assert hasattr(load().catalogue.get("evaluator", "geometry").factory, "requires")
