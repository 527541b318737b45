"""Likeness of captions and of pictures, in [0, 1]."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from tiny_models import SENTENCES, text_folder

from dalr_bench_plugins.heldout.gallery import fresh
from dalr_bench_plugins.heldout.likeness import (
    Reference,
    cosine_likeness,
    known_likeness,
    shown_mass,
    shown_similarity,
)
from dalr_bench_plugins.scenes.facts import Scene, Thing
from dalr_bench_plugins.scenes.gold import similarity

RED = Thing("star", "red", "small", "plain", 10, 10)
BLUE = Thing("ball", "blue", "big", "striped", 40, 10)


def scene(*things: Thing) -> Scene:
    return Scene(things, (), 0, len(things))


def test_shown_similarity_by_hand() -> None:
    assert shown_mass(scene(RED)) == 3.0  # shape 1, colour 1, size ½, pattern ½
    assert shown_similarity(scene(RED, BLUE), scene(BLUE, RED)) == 1.0
    assert shown_similarity(scene(RED), scene(BLUE)) == 0.0
    assert shown_similarity(scene(RED), scene(RED, BLUE)) == pytest.approx(2 * 3 / (3 + 6))
    half = RED._replace(colour="blue", pattern="dotted")
    assert shown_similarity(scene(RED), scene(half)) == pytest.approx(2 * 1.5 / 6)
    # Places say nothing here.
    assert shown_similarity(scene(RED), scene(RED._replace(x=50, y=50))) == 1.0


def test_shown_similarity_is_the_best_assignment() -> None:
    scenes = fresh({"hidden": 1.0}, {"scenes": 30}).scenes
    checked = 0
    weights = {"shape": 1.0, "colour": 1.0, "size": 0.5, "pattern": 0.5}
    for one, two in zip(scenes[::2], scenes[1::2], strict=True):
        few, many = sorted((one.things, two.things), key=len)
        best = max(
            sum(
                weight
                for mine, place in zip(few, to, strict=True)
                for name, weight in weights.items()
                if getattr(mine, name) == getattr(many[place], name)
            )
            for to in permutations(range(len(many)), len(few))
        )
        assert shown_similarity(one, two) == pytest.approx(2 * best / (3 * len(few) + 3 * len(many)))
        checked += 1
    assert checked == 15


def test_known_likeness_is_gold_over_five() -> None:
    gallery = fresh(None, {"scenes": 20})
    left, right = np.arange(0, 50), np.arange(50, 100)
    found = known_likeness(gallery.meanings)(left, right)
    wanted = [similarity(gallery.meanings[i], gallery.meanings[j]) / 5 for i, j in zip(left, right, strict=True)]
    np.testing.assert_allclose(found, wanted)
    assert 0 <= found.min() < found.max() <= 1


def test_cosine_likeness_by_hand() -> None:
    rows = np.array([[3.0, 0.0], [1.0, 1.0], [0.0, 0.0], [-2.0, 0.0]], np.float32)
    found = cosine_likeness(rows)(np.array([0, 0, 0, 1]), np.array([1, 2, 3, 1]))
    np.testing.assert_allclose(found, [2**-0.5, 0.0, -1.0, 1.0], atol=1e-7)


def test_a_reference_is_a_frozen_encoder(tmp_path: Path) -> None:
    from dalr_bench_plugins.teachers.hf_text import HFText

    folder = str(text_folder(tmp_path / "model"))
    rows = Reference(folder).rows(SENTENCES, "cpu")
    teacher = HFText(folder, pooling="mean", max_length=39).encode_text(SENTENCES)
    np.testing.assert_allclose(rows, teacher.numpy(), atol=1e-5)
    assert str(Reference(folder)) == "cosine of model, pooling mean, 128 tokens"
