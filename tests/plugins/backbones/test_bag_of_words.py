from __future__ import annotations

import numpy as np
import pytest

from dalr_bench import DataError, Part
from dalr_bench.evaluate.encoder import OnePass
from dalr_bench.plugin.registry import Catalogue
from dalr_bench_plugins.backbones import bag_of_words as module
from dalr_bench_plugins.backbones.bag_of_words import bag_of_words

SENTENCES = ["the red star", "the red red moon", "a star", "The star"]


def test_counts_over_a_closed_vocabulary() -> None:
    bag = bag_of_words(vocabulary=["moon", "red", "star", "the"])
    rows = OnePass(bag).encode(SENTENCES)
    assert rows.tolist() == [[0, 1, 1, 1], [1, 2, 0, 1], [0, 0, 1, 0], [0, 0, 1, 1]]
    assert rows.dtype == np.float32


def test_inverse_document_frequency_as_scikit_learn_has_it() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = ["moon", "red", "star", "the"]
    rows = OnePass(bag_of_words(idf=True, vocabulary=words, sentences=SENTENCES)).encode(SENTENCES)
    reference = TfidfVectorizer(vocabulary=words, norm=None, token_pattern=r"\S+").fit_transform(SENTENCES).toarray()
    assert rows == pytest.approx(reference, abs=1e-6)


def test_an_open_language_keeps_its_most_frequent_words() -> None:
    bag = bag_of_words(most=3, sentences=SENTENCES)
    assert bag.words == ["star", "the", "red"]
    assert bag_of_words(most=99, sentences=SENTENCES).dim == 5


def test_a_sentence_without_a_known_word_is_a_zero_row() -> None:
    rows = OnePass(bag_of_words(vocabulary=["star"])).encode(["moon", "", "star"])
    assert rows.tolist() == [[0], [0], [1]]


@pytest.mark.parametrize(("idf", "vocabulary"), [(False, []), (True, ["star"])])
def test_nothing_to_count_is_said(idf: bool, vocabulary: list[str]) -> None:
    with pytest.raises(DataError, match=r"^bag_of_words: "):
        bag_of_words(idf, vocabulary=vocabulary)


def test_the_harness_injects_words_and_the_suite_cannot() -> None:
    catalogue = Catalogue()
    module.register_backbones(lambda name, factory: catalogue.add("backbone", name, factory, "test", "0"))
    found = catalogue.get("backbone", "bag_of_words")
    assert found.injected == {"vocabulary", "sentences"}
    assert set(found.schema.model_fields) == {"idf", "most"}
    bag = catalogue.build("backbone", Part("bag_of_words"), vocabulary=["star"], sentences=SENTENCES, device="cpu")
    assert bag.protocol() == {"model": "bag_of_words", "idf": False, "dim": 1}
