"""The measure of intra-modal semantic divergence: by hand, by oracles, and with the world's dial."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from photos import fault_of, write_json_lines
from spoken_vectors import Spoken, random_vector
from tiny_models import text_folder

from dalr_bench import SuiteError
from dalr_bench_plugins.evaluators.divergence import Compared, Divergence, compare, outranked
from dalr_bench_plugins.heldout.likeness import known_likeness


def scored(evaluator: Divergence, vector: Callable[[str], object]) -> dict[str, float]:
    return {score.task: score.value for score in evaluator.evaluate(Spoken(vector)).scores}


@pytest.fixture(scope="module")
def evaluator() -> Divergence:
    return Divergence(scenes={"scenes": 120})


def picture_vector(evaluator: Divergence) -> Callable[[str], NDArray[np.float64]]:
    """The worst subject: it knows which picture a caption is of, and nothing else."""
    owner = dict(zip(evaluator.gallery.corpus.sentences, evaluator.gallery.picture_of.tolist(), strict=True))
    return lambda sentence: np.eye(max(owner.values()) + 1)[owner[sentence]]


def test_comparisons_by_hand() -> None:
    # Captions 0 and 1 share a picture and little meaning; 2 means what 0 does, 3 what 1 does; 4 is alone.
    meaning = np.array(
        [[1, 0.1, 0.9, 0.2, 0], [0.1, 1, 0.2, 0.8, 0], [0.9, 0.2, 1, 0.95, 0], [0.2, 0.8, 0.95, 1, 0], [0, 0, 0, 0, 1]]
    )
    found = compare(np.array([0, 0, 1, 1, 2]), lambda i, j: meaning[i, j], 0.2, (10, 0))
    # 2 and 3 are siblings of like meaning: no stranger is nearer, so nothing is compared.
    assert [list(map(int, row)) for row in zip(*found, strict=True)] == [[0, 1, 2], [1, 0, 3]]
    strict = compare(np.array([0, 0, 1, 1, 2]), lambda i, j: meaning[i, j], 0.75, (10, 0))
    assert strict.caption.tolist() == [0]


def test_outranked_by_hand() -> None:
    sim = np.array([[1, 0.5, 0.5, 0.2], [0.5, 1, 0.6, 0.1], [0.5, 0.6, 1, 0], [0.2, 0.1, 0, 1]])
    compared = Compared(np.array([0, 0, 1]), np.array([1, 1, 2]), np.array([2, 3, 0]))
    assert outranked(lambda i, j: sim[i, j], compared).tolist() == [0.5, 1.0, 1.0]


def test_truth_never_errs_and_pictures_always_do(evaluator: Divergence) -> None:
    truth = known_likeness(evaluator.gallery.meanings)
    assert len(evaluator.compared.caption) > 100
    assert outranked(truth, evaluator.compared).sum() == 0  # the oracle: gold itself as the similarity
    found = scored(evaluator, picture_vector(evaluator))
    assert found["Divergence"] > 0.98  # a sentence said of two pictures can be told of one only
    assert found["Divergence/suffered"] == pytest.approx(found["Divergence/exposed"], rel=0.02)


def test_chance_is_a_half(evaluator: Divergence) -> None:
    assert scored(evaluator, random_vector)["Divergence"] == pytest.approx(0.5, abs=0.12)
    assert scored(evaluator, lambda _: [1.0, 2.0])["Divergence"] == 0.5


def test_every_comparison_is_what_it_says(evaluator: Divergence) -> None:
    compared, picture = evaluator.compared, evaluator.gallery.picture_of
    truth = known_likeness(evaluator.gallery.meanings)
    assert (picture[compared.caption] == picture[compared.sibling]).all()
    assert (compared.caption != compared.sibling).all()
    assert (picture[compared.caption] != picture[compared.stranger]).all()
    gain = truth(compared.caption, compared.stranger) - truth(compared.caption, compared.sibling)
    assert gain.min() >= 0.2 - 1e-12
    again = Divergence(scenes={"scenes": 120})
    assert all((one == two).all() for one, two in zip(again.compared, compared, strict=True))


def test_the_dial_moves_it() -> None:
    exposed, suffered = [], []
    for dial in (0.2, 0.6, 1.0):
        evaluator = Divergence(scenes={"scenes": 120, "divergence": dial})
        found = scored(evaluator, picture_vector(evaluator))
        exposed.append(found["Divergence/exposed"])
        suffered.append(found["Divergence/suffered"])
    assert exposed == sorted(exposed)
    assert suffered == sorted(suffered)
    assert exposed[0] < 0.6 * exposed[-1]


def test_without_divergence_there_is_nothing_to_compare() -> None:
    evaluator = Divergence(scenes={"scenes": 40, "divergence": 0.0})
    found = evaluator.evaluate(Spoken(random_vector))
    assert list(found.missing) == ["Divergence"]
    assert [(score.task, score.value, score.n) for score in found.scores] == [("Divergence/exposed", 0.0, 200)]


def test_scores_say_how_they_came(evaluator: Divergence) -> None:
    found = evaluator.evaluate(Spoken(random_vector))
    main, share, suffered = found.scores
    assert (main.metric, main.split, main.n) == ("outranked", "test", len(evaluator.compared.caption))
    assert share.n == suffered.n == 600
    assert suffered.value == pytest.approx(main.value * share.value)
    for part in ("divergence; ", "meaning=gold of the world", "gap=0.2", "chance=.5", " | pooling=by hand"):
        assert part in main.protocol
    kept = found.predictions[0]
    assert kept.predicted.mean() == pytest.approx(main.value)
    assert set(evaluator.sentences()) == set(evaluator.gallery.corpus.sentences)
    assert Divergence("dev", scenes={"scenes": 5}).evaluate(Spoken(random_vector)).scores[0].split == "dev"


def test_real_captions_need_a_reference(tmp_path: Path) -> None:
    rows = [
        {"image": "1.jpg", "captions": ["a dog runs", "the red ball"]},
        {"image": "2.jpg", "captions": ["two dog", "the big red ball"]},
        {"image": "3.jpg", "captions": ["a cat sleeps", "a cat sleeps on the grass"]},
    ]
    write_json_lines(tmp_path / "captions.jsonl", rows)  # no photo is there: none is looked at
    with pytest.raises(SuiteError, match="name a sentence model in `reference`"):
        Divergence(root=str(tmp_path))
    with pytest.raises(SuiteError, match="two data sets"):
        Divergence(root=str(tmp_path), reference="x", scenes={})
    model = text_folder(tmp_path / "model")
    evaluator = Divergence(root=str(tmp_path), reference=str(model), gap=0.01)
    found = evaluator.evaluate(Spoken(random_vector))
    assert "meaning=cosine of model, pooling mean" in found.scores[0].protocol
    assert "data=" in found.scores[0].protocol
    # The reference as the subject agrees with itself.
    texts = evaluator.gallery.corpus.sentences
    rows_ND = evaluator.reference.rows(list(texts), "cpu") if evaluator.reference else None
    assert rows_ND is not None
    mine = evaluator.evaluate(Spoken(lambda sentence: rows_ND[list(texts).index(sentence)]))
    assert [score.value for score in mine.scores if score.task == "Divergence"] == [0.0]
    missing = Divergence(root=str(tmp_path), reference="no-such/model")
    assert "no-such/model" in fault_of(lambda: missing.evaluate(Spoken(random_vector)))
