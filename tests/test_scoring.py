"""Scoring a model folder: tasks find their evaluator, options are checked, the revision follows the weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dalr_bench import DataError, PluginError, SuiteError
from dalr_bench.plugin.manager import load
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.scoring import Asked, build_evaluators, open_subject, score_model
from dalr_bench_plugins.backbones.hf import hf

SIDES = ("pos", "neg")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load().catalogue


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`data` with a small STS-B and MR, and `model`, a small encoder from scratch in a sentence-transformers folder."""
    folder = tmp_path_factory.mktemp("scoring")
    stsb = folder / "data" / "downstream" / "STS" / "STSBenchmark"
    stsb.mkdir(parents=True)
    rows = [f"g\tf\ty\t{i}\t{i % 5}\tword{i} thing\tword{i + i % 3} thing\n" for i in range(30)]
    (stsb / "sts-test.csv").write_text("".join(rows))
    reviews = folder / "data" / "downstream" / "MR"
    reviews.mkdir()
    for side in SIDES:
        (reviews / f"rt-polarity.{side}").write_text("".join(f"{side} word{i}\n" for i in range(40)))
    words = ["pos", "neg", "thing", *(f"word{i}" for i in range(50))]
    shape = {"layers": 1, "hidden": 16, "heads": 2, "feed_forward": 32}
    hf(head="none", pooling="mean", vocabulary=words, **shape).save(str(folder / "model"))
    return folder


@pytest.fixture
def asked(place: Path) -> Asked:
    return Asked(
        str(place / "model"),
        ["sts", "senteval"],
        tasks=["STS-B", "MR"],
        data=str(place / "data"),
        device="cpu",
        options={"sts": {"sizes": "any"}, "senteval": {"sizes": "any", "mode": "fast"}},
    )


def test_tasks_find_their_evaluators(asked: Asked, catalogue: Catalogue) -> None:
    scored = score_model(asked, catalogue)
    found = {(score.task, score.metric) for score in scored.outcome.scores}
    assert found == {("STS-B", "spearman"), ("MR", "acc"), ("MR", "devacc")}
    assert {"encode", "tokenize", "sts", "probe"} == set(scored.outcome.seconds)
    assert all("pooling=mean" in score.protocol for score in scored.outcome.scores)
    assert len(scored.revision) == 64


def test_an_evaluator_left_without_tasks_is_not_run(asked: Asked, catalogue: Catalogue) -> None:
    assert list(build_evaluators(replace(asked, tasks=["MR"]), catalogue)) == ["senteval"]


def test_scoring_twice_gives_the_same(asked: Asked, catalogue: Catalogue) -> None:
    first, second = (score_model(asked, catalogue) for _ in range(2))
    assert first.outcome.scores == second.outcome.scores
    assert first.revision == second.revision


def test_the_revision_follows_weights_and_reading(asked: Asked, catalogue: Catalogue) -> None:
    subject = open_subject(asked, catalogue)
    other = open_subject(replace(asked, reading={"pooling": "cls_before_pooler"}), catalogue)
    changed = open_subject(asked, catalogue)
    first = next(changed.backbone.parameters())  # type: ignore[attr-defined]
    first.data.view(-1)[0] += 1e-6
    assert len({subject.fingerprint, other.fingerprint, changed.fingerprint}) == 3
    assert subject.fingerprint == open_subject(asked, catalogue).fingerprint


def test_faults_of_the_command_line_are_named(asked: Asked, catalogue: Catalogue) -> None:
    for change, message in (
        ({"evaluators": ["sts", "sentevall"], "options": {}}, "no evaluator is called that. Did you mean 'senteval'"),
        ({"tasks": ["MRR"]}, "--tasks MRR: no evaluator asked for knows it. Did you mean 'MR'"),
        ({"options": {"stss": {}}}, "--set stss: not among the evaluators. Did you mean 'sts'"),
        ({"options": {"sts": {"sick": "most"}}}, "sts.sick: Input should be 'test' or 'all'"),
        ({"reading": {"pooling": "men"}}, "pretrained.pooling: Input should be"),
    ):
        with pytest.raises(SuiteError, match=message.replace(".", r"\.")):
            score_model(replace(asked, **change), catalogue)
    with pytest.raises(DataError, match="nowhere"):
        score_model(replace(asked, model="/nowhere"), catalogue)
    with pytest.raises(PluginError, match="no backbone is called 'other'"):
        score_model(replace(asked, backbone="other"), catalogue)
