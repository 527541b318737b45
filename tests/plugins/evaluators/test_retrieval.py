"""Retrieval: closed forms, ties, several captions a picture, and the joint spaces of real runs."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from spoken_vectors import Spoken, Table, random_vector

from dalr_bench import Evaluation, SuiteError
from dalr_bench.cli.main import main
from dalr_bench_plugins.evaluators.retrieval import Ranked, Retrieval, chance, directed, expected_hits

TINY = Path(__file__).parents[2] / "suites" / "tiny.yaml"


def scored(text: object, image: object, scenes: int, captions: int = 2) -> Evaluation:
    evaluator = Retrieval(scenes={"scenes": scenes, "captions": captions})
    return evaluator.evaluate(Spoken(random_vector, {"heads": Table(text, image)}))


def values(found: Evaluation) -> dict[tuple[str, str], float]:
    return {(score.task, score.metric): score.value for score in found.scores}


def test_a_perfect_space_finds_everything() -> None:
    image = np.eye(20)
    found = values(scored(np.repeat(image, 2, axis=0), image, 20))
    assert len(found) == 7
    assert set(found.values()) == {1.0}


def test_the_worst_space_finds_nothing() -> None:
    image = np.eye(20)
    found = values(scored(-np.repeat(image, 2, axis=0), image, 20))
    assert set(found.values()) == {0.0}


def test_neighbours_by_hand() -> None:
    # Picture i stands at angle i; each caption leans to the next picture: its own comes second.
    angles = np.arange(12) * 0.2
    image = np.stack([np.cos(angles), np.sin(angles)], 1)
    lean = np.repeat(angles + 0.12, 2)
    found = values(scored(np.stack([np.cos(lean), np.sin(lean)], 1), image, 12))
    # The last picture has nobody after it, so its two captions find it first.
    assert found["Retrieval/text-to-image", "R@1"] == pytest.approx(2 / 24)
    assert found["Retrieval/text-to-image", "R@5"] == 1.0
    # Picture i > 0 is nearest to the captions of i - 1 (two of them), then to its own.
    assert found["Retrieval/image-to-text", "R@1"] == pytest.approx(1 / 12)
    assert found["Retrieval/image-to-text", "R@5"] == 1.0


def test_any_caption_of_a_picture_counts() -> None:
    image = np.eye(10)
    text = np.repeat(image, 2, axis=0)
    text[1::2] = -text[1::2]  # every second caption is hopeless
    found = values(scored(text, image, 10))
    assert found["Retrieval/image-to-text", "R@1"] == 1.0
    assert found["Retrieval/text-to-image", "R@1"] == 0.5


def test_one_point_for_everything_scores_chance_and_no_more() -> None:
    found = values(scored(np.ones((40, 3)), np.ones((20, 3)), 20))
    for k in (1, 5, 10):
        assert found["Retrieval/text-to-image", f"R@{k}"] == pytest.approx(k / 20)
        # One of two right captions among k of 40.
        none = np.prod([(38 - i) / (40 - i) for i in range(k)])
        assert found["Retrieval/image-to-text", f"R@{k}"] == pytest.approx(1 - none)
    level = chance(np.repeat(np.arange(20), 2), [1, 5])
    assert level["text-to-image"] == pytest.approx([0.05, 0.25])
    assert level["image-to-text"][0] == pytest.approx(0.05)


def test_expected_hits_count_every_order_of_equals() -> None:
    checked = 0
    for above, tied, right in ((0, 1, 1), (1, 2, 1), (2, 2, 2), (0, 3, 2), (4, 0, 1)):
        for k in (1, 2, 3, 5):
            orders = list(permutations(["wrong"] * tied + ["right"] * right))
            hit = np.mean(["right" in order[: max(0, k - above)] for order in orders])
            found = expected_hits(Ranked(np.array([above]), np.array([tied]), np.array([right])), k)
            assert found[0] == pytest.approx(hit)
            checked += 1
    assert checked == 20


def test_ranks_in_loops() -> None:
    rng = np.random.default_rng(3)
    sim, owner = rng.integers(0, 4, size=(30, 9)) / 4, np.sort(rng.integers(0, 9, size=30))
    found = directed(sim, owner)
    for row in range(30):
        own = sim[row, owner[row]]
        assert found["text-to-image"].above[row] == sum(value > own for value in sim[row])
        assert found["text-to-image"].tied[row] == sum(value == own for value in sim[row]) - 1
    pictures = sorted(set(owner.tolist()))
    for place, picture in enumerate(pictures):
        best = max(sim[row, picture] for row in range(30) if owner[row] == picture)
        wrong = [sim[row, picture] for row in range(30) if owner[row] != picture]
        assert found["image-to-text"].above[place] == sum(value > best for value in wrong)
        assert found["image-to-text"].tied[place] == sum(value == best for value in wrong)
    assert len(found["image-to-text"].above) == len(pictures)


def test_scores_say_how_they_came() -> None:
    image = np.eye(20)
    found = scored(np.repeat(image, 2, axis=0), image, 20)
    assert [score.metric for score in found.scores] == ["recall", *["R@1", "R@5", "R@10"] * 2]
    assert [score.n for score in found.scores] == [60, 40, 40, 40, 20, 20, 20]
    for part in ("captions=40", "images=20", "at=1 5 10", "chance text-to-image=0.0500 0.2500 0.5000", "ties=expected"):
        assert part in found.scores[0].protocol
    assert [item.task for item in found.predictions] == ["Retrieval/text-to-image", "Retrieval/image-to-text"]
    assert len(found.predictions[0].predicted) == 40


def test_spaces_by_name_and_runs_without_one() -> None:
    image = np.eye(5)
    spaces = {"one": Table(np.repeat(image, 2, 0), image), "two": Table(-np.repeat(image, 2, 0), image)}
    subject = Spoken(random_vector, spaces)
    options = {"scenes": 5, "captions": 2}
    both = Retrieval(scenes=options).evaluate(subject)  # type: ignore[arg-type]
    assert {score.task for score in both.scores if score.metric == "recall"} == {"Retrieval (one)", "Retrieval (two)"}
    named = Retrieval(space="two", at=[1], scenes=options).evaluate(subject)  # type: ignore[arg-type]
    assert [score.value for score in named.scores] == [0.0, 0.0, 0.0]
    for evaluator, whom in ((Retrieval(space="three"), subject), (Retrieval(), Spoken(random_vector))):
        found = evaluator.evaluate(whom)
        assert (list(found.scores), list(found.missing)) == ([], ["Retrieval"])
    with pytest.raises(SuiteError, match="two data sets"):
        Retrieval(scenes={}, root="somewhere")
    assert list(Retrieval().sentences()) == []


def test_the_spaces_of_real_runs(tmp_path: Path) -> None:
    """Through the command line: a space made on pixels, one made on an image teacher's rows, a floor row, a teacher."""
    suite = tmp_path / "suite.yaml"
    asked = "{name: retrieval, scenes: {scenes: 12}}, {name: misalignment, scenes: {scenes: 12}, pairs: 60}"
    text = TINY.read_text().replace("evaluate: [", f"evaluate: [{asked}, ")
    text = text.replace(
        "null, train.steps: 2}", "null, train.steps: 2, evaluate: [{name: misalignment, teacher: clip}]}"
    )
    suite.write_text(text)
    arguments = ["run", str(suite), "--smoke", "--results", str(tmp_path / "results"), "--executor", "inline"]
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 0
    found = {}
    for path in (tmp_path / "results").glob("*/*/record.json"):
        record = json.loads(path.read_text())
        assert record["status"] == "done", record["error"]
        found[record["variant"]] = {score["task"]: score for score in record["scores"]}, record["missing"]
    for variant in ("ranked", "picture teacher"):
        scores, missing = found[variant]
        assert 0 <= scores["Retrieval"]["value"] <= 1
        assert scores["Retrieval/text-to-image"]["n"] == 60
        assert not missing
    assert found["untrained"][1] == ["Retrieval"]
    assert "Retrieval" not in found["untrained"][0]
    seen = found["text teacher"][0]["Misalignment"]
    assert 0 <= seen["value"] <= 1
    assert "cosine of teacher clip" in seen["protocol"]
