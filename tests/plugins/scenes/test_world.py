from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from dalr_bench_plugins.scenes.facts import RELATIONS, positions
from dalr_bench_plugins.scenes.lexicon import PLAIN
from dalr_bench_plugins.scenes.world import World, WorldSize


@pytest.mark.parametrize(("described", "hidden"), [(1, 0), (2, 3), (3, 1), (4, 5), (9, 0)])
def test_a_scene_holds_what_was_asked_in_places_of_their_own(described: int, hidden: int) -> None:
    world, rng, unseen = World(WorldSize()), Random(0), Random(1)
    for _ in range(200):
        scene = world.scene(rng, described, hidden, unseen)
        assert len(scene.things) == described + hidden
        assert scene.described == described
        assert len({(thing.x // 21, thing.y // 21) for thing in scene.things}) == described + hidden
        assert len({(thing.shape, thing.colour) for thing in scene.things}) == described + hidden
        for thing in scene.things:
            assert thing.shape in world.shapes
            assert thing.colour in world.colours
            assert 9 <= thing.x <= 55
            assert 9 <= thing.y <= 55
        for kind, a, b in scene.relations:
            assert kind in ("points", "tied")
            assert a != b
            assert max(a, b) < described, "an arrow at a hidden thing would be a fact no caption can state"


def test_hidden_things_leave_the_described_ones_alone() -> None:
    world = World(WorldSize())
    for trial in range(100):
        bare = world.scene(Random(trial), 3)
        full = world.scene(Random(trial), 3, 4, Random("other"))
        assert full.things[:3] == bare.things
        assert full.relations == bare.relations


def test_two_things_always_stand_apart_along_one_axis() -> None:
    world, rng = World(WorldSize()), Random(2)
    for _ in range(300):
        scene = world.scene(rng, 5)
        for a in range(5):
            for b in range(a):
                found = positions(scene, a, b)
                assert found
                for kind, one, two in found:
                    here, there = scene.things[one], scene.things[two]
                    assert (here.x < there.x) if kind == "left" else (here.y < there.y)


def test_skew_makes_scenes_follow_their_theme() -> None:
    def share(skew: float) -> float:
        world, rng = World(WorldSize(skew=skew)), Random(0)
        scenes = [world.scene(rng, 3) for _ in range(800)]
        hits = [
            (thing.shape, thing.colour) in world.themes[scene.theme].kinds for scene in scenes for thing in scene.things
        ]
        return sum(hits) / len(hits)

    free, themed = share(0.0), share(0.6)
    assert free == pytest.approx(4 / 36, abs=0.04)
    assert themed > 0.45


def test_the_world_seed_draws_the_themes_and_nothing_else_does() -> None:
    themes = World(WorldSize()).themes
    assert World(WorldSize(max_words=20, skew=0.1)).themes == themes
    assert World(WorldSize(world=1)).themes != themes
    assert all(theme.relation in RELATIONS and len(theme.kinds) == 4 for theme in themes)
    assert World(WorldSize(themes=3)).themes == themes[:3]


def test_every_value_occurs() -> None:
    world, rng = World(WorldSize(shapes=10, colours=8)), Random(0)
    things = [thing for _ in range(600) for thing in world.scene(rng, 4).things]
    counts = {
        name: Counter(getattr(thing, name) for thing in things) for name in ("shape", "colour", "size", "pattern")
    }
    assert {name: len(found) for name, found in counts.items()} == {"shape": 10, "colour": 8, "size": 2, "pattern": 3}
    assert counts["pattern"][PLAIN] > len(things) / 4


def test_the_smallest_world_still_fills_nine_places() -> None:
    scene = World(WorldSize(shapes=2, colours=2, synonyms=1)).scene(Random(0), 9)
    assert len(scene.things) == 9
