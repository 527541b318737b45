from __future__ import annotations

from random import Random

import pytest

from dalr_bench_plugins.scenes.edits import Editor
from dalr_bench_plugins.scenes.facts import Meaning, Mention, Relation
from dalr_bench_plugins.scenes.focus import focus, plan
from dalr_bench_plugins.scenes.gold import mass, similarity
from dalr_bench_plugins.scenes.world import World, WorldSize


def thing(**facts: str) -> Mention:
    return tuple(sorted(facts.items()))


RED_STAR = thing(shape="star", colour="red")
BLUE_MOON = thing(shape="moon", colour="blue")
BOTH = Meaning((RED_STAR, BLUE_MOON), ())


def brute_force(one: Meaning, two: Meaning) -> float:
    """Rename the objects of `one` into those of `two` in every way, some to nothing, and count the facts in common."""
    worth = {"shape": 1.0, "colour": 1.0, "size": 0.5, "pattern": 0.5}

    def attributes(meaning: Meaning, names: list[int | None]) -> set[tuple[int, str, str]]:
        return {
            (name, *fact)
            for name, mention in zip(names, meaning.objects, strict=True)
            if name is not None
            for fact in mention
        }

    def renamings(left: int, free: list[int]) -> list[list[int | None]]:
        if left == 0:
            return [[]]
        ways: list[list[int | None]] = [[None, *rest] for rest in renamings(left - 1, free)]
        for name in free:
            ways += [[name, *rest] for rest in renamings(left - 1, [other for other in free if other != name])]
        return ways

    def ends(kind: str, a: int | None, b: int | None) -> tuple[str, object]:
        return kind, frozenset((a, b)) if kind == "tied" else (a, b)

    itself: list[int | None] = list(range(len(two.objects)))
    theirs = attributes(two, itself)
    best = 0.0
    for names in renamings(len(one.objects), list(range(len(two.objects)))):
        common = attributes(one, names) & theirs
        shared = sum(worth[attribute] for _, attribute, _ in common)
        touched = {name for name, _, _ in common}
        stated = {ends(kind, a, b) for kind, a, b in two.relations}
        for kind, a, b in one.relations:
            if ends(kind, names[a], names[b]) in stated and {names[a], names[b]} <= touched:
                shared += 1.0
        best = max(best, shared)

    def total(meaning: Meaning) -> float:
        return sum(worth[name] for mention in meaning.objects for name, _ in mention) + len(meaning.relations)

    return 10 * best / (total(one) + total(two))


def test_agrees_with_brute_force_over_everything_the_world_says() -> None:
    world, rng = World(WorldSize()), Random(0)
    editor, compared = Editor(world.lexicon), 0
    for _ in range(500):
        one, two = (focus(rng, world.scene(rng, 4), plan(rng, 4, 13)) for _ in range(2))
        for other in (two, editor.edit(rng, one), editor.swap(rng, one)):
            assert similarity(one, other) == pytest.approx(brute_force(one, other), abs=1e-12)
            assert similarity(one, other) == pytest.approx(similarity(other, one), abs=1e-12)
            assert 0 <= similarity(one, other) <= 5
            compared += 1
    assert compared == 1500


def test_the_same_facts_are_five_in_any_order() -> None:
    assert similarity(BOTH, BOTH) == 5.0
    assert similarity(BOTH, Meaning((BLUE_MOON, RED_STAR), ())) == 5.0
    one = Meaning((RED_STAR, BLUE_MOON), (Relation("left", 0, 1),))
    assert similarity(one, Meaning((BLUE_MOON, RED_STAR), (Relation("left", 1, 0),))) == 5.0


def test_nothing_shared_is_zero() -> None:
    assert similarity(Meaning((RED_STAR,), ()), Meaning((BLUE_MOON,), ())) == 0.0


def test_a_swap_costs_more_than_one_wrong_value() -> None:
    swapped = Meaning((thing(shape="star", colour="blue"), thing(shape="moon", colour="red")), ())
    changed = Meaning((thing(shape="star", colour="green"), BLUE_MOON), ())
    assert similarity(BOTH, swapped) == 5 * 2 * 2 / 8
    assert similarity(BOTH, changed) == 5 * 2 * 3 / 8


def test_a_relation_is_directed_unless_it_is_a_tie() -> None:
    def both(kind: str, a: int, b: int) -> Meaning:
        return Meaning((RED_STAR, BLUE_MOON), (Relation(kind, a, b),))

    assert similarity(both("left", 0, 1), both("left", 1, 0)) == 5 * 2 * 4 / 10
    assert similarity(both("left", 0, 1), both("above", 0, 1)) == 5 * 2 * 4 / 10
    assert similarity(both("tied", 0, 1), both("tied", 1, 0)) == 5.0


def test_a_relation_between_strangers_counts_nothing() -> None:
    one = Meaning((RED_STAR, BLUE_MOON), (Relation("points", 0, 1),))
    two = Meaning((RED_STAR, thing(shape="heart", colour="grey")), (Relation("points", 0, 1),))
    assert similarity(one, two) == 5 * 2 * 2 / 10


def test_size_and_pattern_weigh_half() -> None:
    full = Meaning((thing(shape="star", colour="red", size="large", pattern="dotted"),), (Relation("left", 0, 0),))
    assert mass(full) == 4.0
    assert mass(BOTH) == 4.0
    assert similarity(
        Meaning((thing(shape="star", size="large"),), ()), Meaning((thing(shape="star", size="small"),), ())
    ) == (5 * 2 * 1 / 3)
