from __future__ import annotations

import numpy as np
import pytest

from dalr_bench import Part
from dalr_bench.evaluate.encoder import OnePass
from dalr_bench.plugin.registry import Catalogue
from dalr_bench_plugins.backbones import concept_bag as module
from dalr_bench_plugins.backbones.concept_bag import concept_bag
from dalr_bench_plugins.sources.scenes import Scenes


def test_synonyms_are_one_concept_and_order_is_none() -> None:
    rows = OnePass(concept_bag()).encode(
        [
            "the red star is left of a small moon",
            "a tiny crescent is right of one crimson sparkle",
            "the red moon and a small star",
        ]
    )
    assert np.array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[0], rows[2]), "the relation is missing"
    plain = OnePass(concept_bag()).encode(["a red star and a small moon", "a small star and a red moon"])
    assert np.array_equal(plain[0], plain[1])


def test_columns_are_the_concepts() -> None:
    assert concept_bag().dim == 6 + 6 + 2 + 2 + 4
    assert concept_bag(shapes=10, colours=8, synonyms=5).dim == 10 + 8 + 2 + 2 + 4


def test_a_dot_product_weighs_as_the_gold_similarity_does() -> None:
    one, two, same = OnePass(concept_bag()).encode(["a large red star", "a huge blue star", "a large red star"])
    assert float(one @ two) == pytest.approx(1.0 + 0.5)
    assert float(one @ same) == pytest.approx(2.5)
    flat_one, flat_two = OnePass(concept_bag(weighted=False)).encode(["a large red star", "a huge blue star"])
    assert float(flat_one @ flat_two) == 2.0


def test_it_knows_every_word_of_its_world() -> None:
    bag = concept_bag(shapes=7, colours=8, synonyms=3)
    corpus = Scenes(scenes=50, shapes=7, colours=8, synonyms=3).load()
    assert set(corpus.vocabulary) == set(bag.words)
    assert np.linalg.norm(OnePass(bag).encode(list(corpus.sentences)), axis=1).min() > 0


def test_its_options_are_those_of_the_world() -> None:
    catalogue = Catalogue()
    module.register_backbones(lambda name, factory: catalogue.add("backbone", name, factory, "test", "0"))
    assert set(catalogue.get("backbone", "concept_bag").schema.model_fields) == {
        "weighted",
        "shapes",
        "colours",
        "synonyms",
    }
    assert catalogue.build("backbone", Part("concept_bag"), vocabulary=["x"]).dim == 20
