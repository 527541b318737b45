from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from dalr_bench import Corpus, Part, SuiteError
from dalr_bench.plugin.registry import Catalogue
from dalr_bench_plugins.sources import scenes as module
from dalr_bench_plugins.sources.scenes import Scenes


@pytest.fixture
def catalogue() -> Catalogue:
    found = Catalogue()
    module.register_sources(lambda name, factory: found.add("source", name, factory, "test", "0"))
    return found


def loaded(**options: Any) -> Corpus:
    return Scenes(**{"scenes": 30, **options}).load()


def test_a_corpus_is_whole() -> None:
    corpus = loaded(captions=4)
    assert corpus.images is not None
    assert corpus.image_of is not None
    assert len(corpus.sentences) == len(corpus.image_of) == 120
    assert len(corpus.images) == 30
    assert Counter(corpus.image_of) == dict.fromkeys(range(30), 4)
    assert list(corpus.image_of) == sorted(corpus.image_of)
    picture = corpus.images[29]
    assert picture.size == (64, 64)
    assert picture.mode == "RGB"


def test_vocabulary_covers_all_and_does_not_depend_on_the_corpus() -> None:
    small, large = loaded(scenes=1), loaded(scenes=500)
    assert list(small.vocabulary) == list(large.vocabulary) == sorted(set(large.vocabulary))
    assert {word for sentence in large.sentences for word in sentence.split()} <= set(large.vocabulary)
    assert len(loaded(shapes=10, colours=8, synonyms=5).vocabulary) > len(small.vocabulary)


def test_loading_twice_is_the_same() -> None:
    one, two = loaded(), loaded()
    assert list(one.sentences) == list(two.sentences)
    assert one.fingerprint == two.fingerprint
    assert one.images is not None
    assert two.images is not None
    for row in (0, 17):
        assert np.array_equal(np.asarray(one.images[row]), np.asarray(two.images[row]))


CHANGES: list[dict[str, Any]] = [
    {"scenes": 31},
    {"captions": 4},
    {"seed": 1},
    {"described": 4},
    {"hidden": 2.0},
    {"divergence": 0.1},
    {"shapes": 7},
    {"colours": 7},
    {"synonyms": 3},
    {"world": 1},
    {"themes": 5},
    {"skew": 0.5},
    {"max_words": 14},
    {"picture": 32},
    {"siblings": True},
]


def test_whatever_decides_the_content_moves_the_fingerprint() -> None:
    prints = [loaded().fingerprint, *(loaded(**change).fingerprint for change in CHANGES)]
    assert len(set(prints)) == len(prints) == 16


def test_every_option_has_such_a_change(catalogue: Catalogue) -> None:
    assert {name for change in CHANGES for name in change} == set(catalogue.get("source", "scenes").schema.model_fields)


def test_the_registered_source_is_built_from_a_suite(catalogue: Catalogue) -> None:
    corpus = catalogue.build("source", Part("scenes", {"scenes": 3, "captions": 2, "picture": 32})).load()
    assert len(corpus.sentences) == 6
    assert corpus.images[0].size == (32, 32)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("scenes", 0),
        ("shapes", 11),
        ("colours", 1),
        ("divergence", 1.5),
        ("hidden", -1.0),
        ("max_words", 8),
        ("scenes", "9"),
        ("cmb", 1),
    ],
)
def test_bad_options_are_named(catalogue: Catalogue, option: str, value: object) -> None:
    _, faults = catalogue.validate("source", Part("scenes", {option: value}))
    assert [path for path, _ in faults] == [option]


def test_more_things_than_places_is_one_clear_line() -> None:
    with pytest.raises(SuiteError, match="9 places, too few for described 4 \\+ hidden 6"):
        Scenes(described=4, hidden=6.0)


def test_fresh_scenes_of_the_same_world_are_new() -> None:
    one, two = loaded(scenes=200), loaded(scenes=200, seed=1)
    shared = len(set(one.sentences) & set(two.sentences)) / len(set(one.sentences))
    assert shared < 0.05


def test_siblings_are_the_next_caption_of_the_same_picture() -> None:
    corpus = loaded(siblings=True)
    assert corpus.image_of is not None
    positives = corpus.columns["positive"]
    assert len(positives) == len(corpus.sentences)
    for row, positive in enumerate(positives):
        family = [other for other, picture in enumerate(corpus.image_of) if picture == corpus.image_of[row]]
        following = family[(family.index(row) + 1) % len(family)]
        assert positive == corpus.sentences[following]
    assert list(corpus.sentences) == list(loaded().sentences)


def test_one_caption_has_no_sibling() -> None:
    with pytest.raises(SuiteError, match="two captions"):
        loaded(siblings=True, captions=1)
