from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from dalr_bench_plugins.scenes.focus import Plan, focus, plan
from dalr_bench_plugins.scenes.wording import fewest_words
from dalr_bench_plugins.scenes.world import World, WorldSize


@pytest.mark.parametrize("max_words", [11, 13, 30])
def test_a_plan_can_be_said(max_words: int) -> None:
    rng = Random(0)
    plans = [plan(rng, 4, max_words) for _ in range(3000)]
    assert max(fewest_words(item.extras, item.relation) for item in plans) <= max_words
    sizes = Counter(len(item.extras) for item in plans)
    assert sizes[2] / len(plans) == pytest.approx(0.6, abs=0.05)
    assert set(sizes) == {1, 2, 3}
    assert not any(item.relation for item in plans if len(item.extras) == 1)


def test_one_describable_thing_is_one_object() -> None:
    assert {len(plan(Random(trial), 1, 13).extras) for trial in range(50)} == {1}


@pytest.mark.parametrize(
    "planned", [Plan((0,), False), Plan((2, 1), True), Plan((1, 0, 2), False), Plan((0, 0, 1), True)]
)
def test_a_focus_fills_its_plan_whatever_the_scene(planned: Plan) -> None:
    world, rng = World(WorldSize()), Random(1)
    for _ in range(300):
        scene = world.scene(rng, 4)
        meaning = focus(rng, scene, planned)
        assert [len(mention) - 1 for mention in meaning.objects] == list(planned.extras)
        assert len(meaning.relations) == planned.relation
        assert meaning.facts() == len(planned.extras) + sum(planned.extras) + planned.relation
        assert ("pattern", "plain") not in [fact for mention in meaning.objects for fact in mention]


def test_colour_is_the_attribute_most_often_said() -> None:
    world, rng = World(WorldSize()), Random(1)
    said = Counter(
        name for _ in range(2000) for name, _ in focus(rng, world.scene(rng, 3), Plan((1,), False)).objects[0]
    )
    assert said["shape"] == 2000
    assert said["colour"] > said["size"] + said["pattern"]
    assert min(said["size"], said["pattern"]) > 100
