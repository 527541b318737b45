"""The measure of cross-modal misalignment: by hand, by oracles, and with the world's dial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from photos import captions_of, write_json_lines, write_photos
from spoken_vectors import Seeing, Spoken, random_vector

from dalr_bench import SuiteError
from dalr_bench.evaluate.encoder import OnePass
from dalr_bench_plugins.backbones.concept_bag import concept_bag
from dalr_bench_plugins.evaluators.misalignment import Misalignment, explained
from dalr_bench_plugins.heldout.likeness import shown_similarity


def values(evaluator: Misalignment, subject: object) -> dict[str, float]:
    return {score.task: score.value for score in evaluator.evaluate(subject).scores}  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def evaluator() -> Misalignment:
    return Misalignment(scenes={"scenes": 150}, pairs=1500)


def test_explained_is_r_squared_of_a_line_and_never_of_the_wrong_sign() -> None:
    rng = np.random.default_rng(0)
    s = rng.normal(size=200)
    v = 0.5 * s + rng.normal(size=200)
    slope, offset = np.polyfit(s, v, 1)
    residual = v - (slope * s + offset)
    assert explained(s, v) == pytest.approx(1 - residual.var() / v.var())
    assert explained(s, -v) == 0.0
    assert explained(s, 3 * s + 1) == pytest.approx(1.0)
    assert explained(np.ones(200), v) == 0.0


def test_pairs_are_of_two_pictures_and_drawn_once(evaluator: Misalignment) -> None:
    left, right = evaluator.pairs
    picture = evaluator.gallery.picture_of
    assert len(left) == 1500
    assert (picture[left] != picture[right]).all()
    again = Misalignment(scenes={"scenes": 150}, pairs=1500)
    assert (again.pairs[0] == left).all()
    some = [
        shown_similarity(evaluator.gallery.scenes[picture[i]], evaluator.gallery.scenes[picture[j]])
        for i, j in zip(left[:20], right[:20], strict=True)
    ]
    np.testing.assert_allclose(evaluator.shown[:20], some)


def test_random_vectors_explain_nothing_and_concepts_nearly_all_there_is(evaluator: Misalignment) -> None:
    nothing, concepts = values(evaluator, Spoken(random_vector)), values(evaluator, OnePass(concept_bag()))
    assert nothing["Misalignment"] < 0.01
    assert abs(nothing["Misalignment/order"]) < 0.1
    assert concepts["Misalignment"] > 0.5 * concepts["Misalignment/ceiling"]
    assert concepts["Misalignment"] < concepts["Misalignment/ceiling"] + 0.05
    assert nothing["Misalignment/ceiling"] == concepts["Misalignment/ceiling"]


def test_the_dial_moves_it() -> None:
    subject = OnePass(concept_bag())
    found = [values(Misalignment(scenes={"scenes": 150, "hidden": dial}), subject) for dial in (0.0, 2.0, 5.0)]
    for task in ("Misalignment", "Misalignment/ceiling", "Misalignment/said", "Misalignment/order"):
        falling = [row[task] for row in found]
        assert falling == sorted(falling, reverse=True), task
        assert falling[-1] < 0.5 * falling[0], task


def test_what_is_said_by_hand() -> None:
    evaluator = Misalignment(scenes={"scenes": 40, "captions": 2})
    weights = {"shape": 1.0, "colour": 1.0, "size": 0.5, "pattern": 0.5}
    shares = []
    for row, meaning in enumerate(evaluator.gallery.meanings):
        stated = sum(weights[name] for mention in meaning.objects for name, _ in mention)
        shares.append(stated / (3.0 * len(evaluator.gallery.scenes[row // 2].things)))
    found = values(evaluator, Spoken(random_vector))
    assert found["Misalignment/said"] == pytest.approx(np.mean(shares))


def test_a_teacher_stands_in_for_truth(evaluator: Misalignment) -> None:
    by_teacher = Misalignment(scenes={"scenes": 150}, pairs=1500, teacher="clip")
    rows = np.random.default_rng(1).normal(size=(150, 8))
    owner = dict(zip(evaluator.gallery.corpus.sentences, evaluator.gallery.picture_of.tolist(), strict=True))
    seen = by_teacher.evaluate(Seeing(lambda sentence: rows[owner[sentence]], rows))
    main = seen.scores[0]
    assert main.value > 0.95  # sentences said twice belong to one picture only
    assert "pictures by=cosine of teacher clip" in main.protocol
    assert "ceiling" in " ".join(score.task for score in seen.scores)
    with pytest.raises(SuiteError, match="'clip' is a teacher of a run"):
        by_teacher.evaluate(Spoken(random_vector))
    with pytest.raises(SuiteError, match="no image teacher 'clip'"):
        by_teacher.evaluate(OnePass(concept_bag()))


def test_scores_say_how_they_came(evaluator: Misalignment) -> None:
    found = evaluator.evaluate(Spoken(random_vector))
    assert [(score.task, score.metric, score.n) for score in found.scores] == [
        ("Misalignment", "r2", 1500),
        ("Misalignment/order", "spearman", 1500),
        ("Misalignment/ceiling", "r2", 1500),
        ("Misalignment/said", "share", 750),
    ]
    for part in ("misalignment; ", "pictures by=what is shown", "pairs=1500", "chance=0", "| pooling=by hand"):
        assert part in found.scores[0].protocol
    kept = found.predictions[0]
    np.testing.assert_array_equal(kept.gold, evaluator.shown)
    assert explained(np.asarray(kept.predicted), np.asarray(kept.gold)) == found.scores[0].value
    assert set(evaluator.sentences()) == set(evaluator.gallery.corpus.sentences)


def test_real_photos_need_a_teacher(tmp_path: Path) -> None:
    names = write_photos(tmp_path / "images", 4)
    rows = [{"image": f"images/{name}", "captions": captions_of(name)} for name in names]
    write_json_lines(tmp_path / "captions.jsonl", rows)
    with pytest.raises(SuiteError, match="name an image teacher in `teacher`"):
        Misalignment(root=str(tmp_path))
    with pytest.raises(SuiteError, match="two data sets"):
        Misalignment(root=str(tmp_path), scenes={}, teacher="clip")
    found = Misalignment(root=str(tmp_path), teacher="clip", pairs=10)
    scores = found.evaluate(Seeing(random_vector, np.random.default_rng(0).normal(size=(4, 5)))).scores
    assert [score.task for score in scores] == ["Misalignment", "Misalignment/order"]
    assert all(-1 <= score.value <= 1 for score in scores)
