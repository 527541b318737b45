from __future__ import annotations

from random import Random

import numpy as np
import pytest
from PIL import Image

from dalr_bench_plugins.scenes.facts import Relation, Scene, Thing
from dalr_bench_plugins.scenes.lexicon import lexicon
from dalr_bench_plugins.scenes.picture import OUTLINES, RGB, Painter


def only(shape: str = "circle", colour: str = "red", size: str = "large", pattern: str = "plain") -> Scene:
    return Scene((Thing(shape, colour, size, pattern, 32, 32),), (), 0, 1)


def pixels(scene: Scene, edge: int = 64, seed: int = 0) -> np.ndarray[tuple[int, int, int], np.dtype[np.int64]]:
    return np.asarray(Painter(edge).paint(scene, Random(seed)), dtype=np.int64)


def test_every_concept_of_the_largest_world_can_be_painted() -> None:
    known = lexicon(10, 8, 5)
    assert set(known.values("shape")) == set(OUTLINES)
    assert set(known.values("colour")) == set(RGB)


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        ("circle", np.pi),
        ("square", 1.7**2),
        ("triangle", 1.9),
        ("cross", 4 * 0.6 - 0.36),
        ("ring", np.pi * 0.73),
        ("diamond", 2 * 0.75 * 1.1),
        ("bar", 2.1 * 0.6),
        ("star", 5 * 1.1 * 0.45 * np.sin(np.pi / 5) * 2 / 2),
    ],
)
def test_areas_are_those_of_the_plane_figures(shape: str, area: float) -> None:
    mask = np.asarray(Painter(256)._mask(shape, "large", "plain"), dtype=float) / 255
    assert mask.sum() / (9.5 * 4) ** 2 == pytest.approx(area, rel=0.03)


def test_all_shapes_differ_in_outline_even_when_small() -> None:
    masks = {shape: np.asarray(Painter()._mask(shape, "small", "plain"), dtype=float) / 255 for shape in OUTLINES}
    for one in masks:
        for two in masks:
            if one < two:
                union = np.maximum(masks[one], masks[two]).sum()
                assert np.minimum(masks[one], masks[two]).sum() / union < 0.87, (one, two)


@pytest.mark.parametrize("colour", sorted(RGB))
def test_colours_stay_nearest_to_their_own_name(colour: str) -> None:
    for seed in range(20):
        middle = pixels(only(colour=colour), seed=seed)[32, 32]
        assert min(RGB, key=lambda name: float(np.abs(middle - RGB[name]).sum())) == colour


def test_size_and_pattern_show() -> None:
    def dark(pattern: str, size: str) -> float:
        found = pixels(only(pattern=pattern, size=size, colour="yellow"))
        return float((found.sum(-1) < 300).mean())

    def inked(size: str) -> float:
        found = pixels(only(size=size))
        return float((found[..., 1] < 120).mean())

    assert inked("large") / inked("small") == pytest.approx((9.5 / 5.5) ** 2, rel=0.1)
    for size in ("large", "small"):
        assert dark("plain", size) == 0
        assert dark("striped", size) > 0.003
        assert dark("dotted", size) > 0.003
    assert not np.array_equal(pixels(only(pattern="striped")), pixels(only(pattern="dotted")))


def test_an_arrow_shows_its_direction_and_a_tie_has_none() -> None:
    two = (Thing("circle", "red", "small", "plain", 11, 32), Thing("circle", "red", "small", "plain", 53, 32))

    def scene(kind: str, a: int, b: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.int64]]:
        return pixels(Scene(two, (Relation(kind, a, b),), 0, 2))

    right = (scene("points", 0, 1)[:, 32:].sum(-1) < 200).sum()
    left = (scene("points", 0, 1)[:, :32].sum(-1) < 200).sum()
    assert right > left + 8
    assert not np.array_equal(scene("points", 0, 1), scene("points", 1, 0))
    assert np.array_equal(scene("tied", 0, 1), scene("tied", 1, 0))
    assert not np.array_equal(scene("tied", 0, 1), scene("points", 0, 1))


@pytest.mark.parametrize("edge", [32, 64, 96, 224])
def test_any_edge_shows_the_same_scene(edge: int) -> None:
    scene = only("heart", "blue", "large", "plain")
    found = Painter(edge).paint(scene, Random(0))
    assert found.size == (edge, edge)
    assert found.mode == "RGB"
    small = np.asarray(found.resize((16, 16), Image.Resampling.BOX), dtype=float)
    other = np.asarray(Painter(64).paint(scene, Random(0)).resize((16, 16), Image.Resampling.BOX), dtype=float)
    assert np.abs(small - other).mean() < 6


def test_the_generator_moves_ground_and_tint_only() -> None:
    one, two = pixels(only(), seed=0), pixels(only(), seed=1)
    assert not np.array_equal(one, two)
    assert np.abs(one - two).max() <= 28
    assert np.array_equal(one, pixels(only(), seed=0))
