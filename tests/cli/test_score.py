"""The command `score` from the outside: what it prints, what it writes, how it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dalr_bench import DataError, SuiteError
from dalr_bench.cli import score
from dalr_bench.cli.score import command
from dalr_bench.table.reported import Reported
from dalr_bench_plugins.backbones.hf import hf


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("score")
    stsb = folder / "data" / "senteval" / "downstream" / "STS" / "STSBenchmark"
    stsb.mkdir(parents=True)
    rows = [f"g\tf\ty\t{i}\t{i % 5}\tword{i} thing\tword{i + i % 3} thing\n" for i in range(30)]
    (stsb / "sts-test.csv").write_text("".join(rows))
    words = ["thing", *(f"word{i}" for i in range(50))]
    hf(head="none", pooling="mean", vocabulary=words, layers=1, hidden=16, heads=2, feed_forward=32).save(
        str(folder / "model")
    )
    return folder


def run(place: Path, *more: str) -> str:
    given = [str(place / "model"), "--data", str(place / "data"), "--device", "cpu", "--set", "sts.sizes=any", *more]
    done = CliRunner().invoke(command, given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_json_is_one_document_and_equals_the_file(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "scores.json"
    printed = json.loads(run(place, "--json", "--out", str(out)))
    assert printed == json.loads(out.read_text())
    assert set(printed) == {"model", "revision", "scores", "missing", "seconds"}
    assert printed["model"] == str(place / "model")
    assert [(item["task"], item["metric"], item["split"], item["n"]) for item in printed["scores"]] == [
        ("STS-B", "spearman", "test", 30)
    ]
    assert -1 <= printed["scores"][0]["value"] <= 1
    assert printed["missing"] == ["STS12", "STS13", "STS14", "STS15", "STS16", "SICK-R"]
    assert {"encode", "tokenize", "sts"} == set(printed["seconds"])


def test_the_table_names_what_is_missing_and_how_it_was_scored(place: Path) -> None:
    text = run(place, "--pooling", "cls_before_pooler")
    assert "STS-B" in text
    assert text.count("missing") == 6
    assert "pooling=cls_before_pooler" in text


def test_published_rows_stand_below(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        Reported("a paper", "its table 1", {"STS-B.spearman": 76.85}),
        Reported("another", "elsewhere", {"MR.acc": 80.0}),
    ]
    monkeypatch.setattr(score, "published", lambda: rows)
    text = run(place, "--compare")
    assert "a paper" in text
    assert "76.85" in text
    assert "measured here" in text
    assert "another" not in text


def test_packaged_rows_stand_below_and_those_scored_otherwise_say_so(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = run(place, "--compare").partition("published rows")[2]
    unsupervised = next(line for line in text.splitlines() if "SimCSE" in line and "76.85" in line)
    assert "OTHERWISE" not in unsupervised
    assert "DO NOT USE" not in text
    assert "S7" not in text
    rows = [Reported("weighted", "a table", {"STS-B.spearman": 1.0}, protocols={"STS-B.spearman": "another mean"})]
    monkeypatch.setattr(score, "published", lambda: rows)
    assert "a table; SCORED OTHERWISE: another mean" in run(place, "--compare")


def test_faults(place: Path) -> None:
    for more, error in (
        (("--set", "sick=all"), SuiteError),
        (("--data", str(place / "absent")), DataError),
        (("--evaluators", "stss"), SuiteError),
    ):
        with pytest.raises(error):
            run(place, *more)
