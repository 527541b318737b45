from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from dalr_bench import Evaluation, Part, SpaceProvider, Subject, SuiteError
from dalr_bench.evaluate.encoder import OnePass
from dalr_bench.plugin.registry import Catalogue
from dalr_bench_plugins.backbones.bag_of_words import bag_of_words
from dalr_bench_plugins.backbones.concept_bag import concept_bag
from dalr_bench_plugins.evaluators import scenes as module
from dalr_bench_plugins.evaluators.scenes import Scenes
from dalr_bench_plugins.sources.scenes import Scenes as Source


class RandomSubject:
    """Every sentence its own random direction, the same whenever it is asked."""

    spaces: Mapping[str, SpaceProvider] = {}
    protocol: Mapping[str, Any] = {"pooling": "none"}

    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in sentences]
        return np.stack([np.random.default_rng(seed).normal(size=64) for seed in seeds]).astype(np.float32)


@pytest.fixture(scope="module")
def evaluator() -> Scenes:
    return Scenes()


@pytest.fixture(scope="module")
def floor() -> Subject:
    return OnePass(bag_of_words(vocabulary=Source(scenes=1).load().vocabulary))


@pytest.fixture(scope="module")
def ceiling() -> Subject:
    return OnePass(concept_bag())


def values(found: Evaluation) -> dict[str, float]:
    return {score.task: score.value for score in found.scores}


def test_random_vectors_score_near_zero_and_near_chance(evaluator: Scenes) -> None:
    found = values(evaluator.evaluate(RandomSubject()))
    assert abs(found["Scenes-STS"]) < 0.08
    assert found["Scenes-STS/paraphrase"] == pytest.approx(0.5, abs=0.08)
    for kind in ("focus", "edit", "swap", "theme", "random"):
        assert abs(found[f"Scenes-STS/{kind}"]) < 0.2
    for question in ("colour", "shape"):
        assert found[f"Scenes-{question}"] < 0.3


def test_words_alone_do_not_solve_it(evaluator: Scenes, floor: Subject) -> None:
    found = values(evaluator.evaluate(floor))
    assert 0.1 < found["Scenes-STS"] < 0.3
    assert found["Scenes-colour"] < 0.3
    assert found["Scenes-shape"] < 0.3


def test_knowing_every_synonym_nearly_does_but_not_what_belongs_to_what(evaluator: Scenes, ceiling: Subject) -> None:
    found = values(evaluator.evaluate(ceiling))
    assert 0.84 < found["Scenes-STS"] < 0.95
    assert found["Scenes-STS/paraphrase"] > 0.85
    assert found["Scenes-STS/swap"] < 0.4, "a bag cannot see a swap"
    assert found["Scenes-colour"] > 0.6
    assert found["Scenes-shape"] > 0.45


def test_predictions_recompute_every_score(evaluator: Scenes, ceiling: Subject) -> None:
    found = evaluator.evaluate(ceiling)
    kept = {item.task: item for item in found.predictions}
    pairs = kept["Scenes-STS"]
    assert pairs.group is not None
    kinds = np.array(pairs.group)
    checked = 0
    for score in found.scores:
        task, _, kind = score.task.partition("/")
        here = kinds == kind if kind else np.ones(len(kinds), bool)
        if score.metric == "spearman":
            expected = spearmanr(pairs.predicted[here], pairs.gold[here]).statistic
        elif score.metric == "auc":
            other = pairs.gold < 5
            expected = roc_auc_score(here[here | other], pairs.predicted[here | other])
        else:
            expected = (kept[task].predicted == kept[task].gold).mean()
            here = kept[task].gold >= 0
        assert score.value == pytest.approx(expected, abs=1e-9), score.task
        assert score.n == here.sum()
        checked += 1
    assert checked == 9


def test_cosines_are_those_of_the_subject(evaluator: Scenes) -> None:
    subject = RandomSubject()
    predicted = evaluator.evaluate(subject).predictions[0].predicted
    for row in (0, 700, 1499):
        pair = evaluator.pairs[row]
        a, b = subject.encode([pair.left, pair.right]).astype(float)
        assert predicted[row] == pytest.approx(a @ b / np.sqrt((a @ a) * (b @ b)), abs=1e-9)


def test_the_main_score_comes_first_and_says_how(evaluator: Scenes, ceiling: Subject) -> None:
    scores = evaluator.evaluate(ceiling).scores
    assert (scores[0].task, scores[0].metric, scores[0].n, scores[0].split) == ("Scenes-STS", "spearman", 1500, "test")
    assert "world 0: 6 shapes, 6 colours, 4 synonyms" in scores[0].protocol
    assert "seed=12345" in scores[0].protocol
    assert "pairs=1500" in scores[0].protocol
    assert [score.task for score in scores[-2:]] == ["Scenes-colour", "Scenes-shape"]


def test_declared_sentences_are_all_that_is_asked(evaluator: Scenes) -> None:
    declared = set(evaluator.sentences())

    class Strict(RandomSubject):
        def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
            assert set(sentences) <= declared
            asked.update(sentences)
            return super().encode(sentences)

    asked: set[str] = set()
    evaluator.evaluate(Strict())
    assert asked == declared


def test_dev_is_the_similarity_on_other_pairs() -> None:
    dev, test = Scenes(split="dev", pairs=200), Scenes(split="test", pairs=200, probes=False)
    found = dev.evaluate(RandomSubject())
    assert {score.split for score in found.scores} == {"dev"}
    assert [item.task for item in found.predictions] == ["Scenes-STS"]
    both = {(pair.left, pair.right) for pair in dev.pairs} & {(pair.left, pair.right) for pair in test.pairs}
    assert not both
    assert len(list(dev.sentences())) == 400


def test_no_word_is_unknown_to_the_source() -> None:
    options: dict[str, Any] = {"shapes": 8, "colours": 7, "synonyms": 5, "world": 3, "max_words": 15}
    known = set(Source(scenes=1, **options).load().vocabulary)
    assert {
        word for sentence in Scenes(pairs=100, rows=60, **options).sentences() for word in sentence.split()
    } <= known


def test_no_sentence_meets_itself(evaluator: Scenes) -> None:
    assert all(pair.left != pair.right for pair in evaluator.pairs)
    assert len(evaluator.pairs) == 1500


def test_a_collapsed_encoder_scores_zero() -> None:
    class Collapsed(RandomSubject):
        def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
            return np.ones((len(sentences), 8), np.float32)

    found = values(Scenes(pairs=100, rows=60).evaluate(Collapsed()))
    assert found["Scenes-STS"] == 0.0
    assert found["Scenes-STS/paraphrase"] == 0.5


def test_probes_need_synonyms() -> None:
    with pytest.raises(SuiteError, match="synonyms"):
        Scenes(synonyms=1)
    assert not Scenes(synonyms=1, probes=False).probing


def test_the_registered_evaluator_is_built_from_a_suite() -> None:
    catalogue = Catalogue()
    module.register_evaluators(lambda name, factory: catalogue.add("evaluator", name, factory, "test", "0"))
    built = catalogue.build("evaluator", Part("scenes", {"split": "dev", "pairs": 60}))
    assert built.split == "dev"
    assert len(built.pairs) == 60
    _, faults = catalogue.validate("evaluator", Part("scenes", {"split": "train"}))
    assert [path for path, _ in faults] == ["split"]


def test_source_and_evaluator_agree_on_what_a_world_is() -> None:
    catalogue = Catalogue()
    module.register_evaluators(lambda name, factory: catalogue.add("evaluator", name, factory, "test", "0"))
    catalogue.add("source", "scenes", Source, "test", "0")
    mine, theirs = (catalogue.get(kind, "scenes").schema.model_fields for kind in ("evaluator", "source"))
    for name in ("shapes", "colours", "synonyms", "world", "themes", "skew", "max_words"):
        assert mine[name].default == theirs[name].default
        assert repr(mine[name].metadata) == repr(theirs[name].metadata)
