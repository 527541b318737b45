"""Pairs of sentences with gold similarity, from fresh scenes: the world's own STS."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from dalr_bench_plugins.scenes.edits import Editor
from dalr_bench_plugins.scenes.facts import Meaning, Scene
from dalr_bench_plugins.scenes.focus import focus, plan
from dalr_bench_plugins.scenes.gold import TOP, similarity
from dalr_bench_plugins.scenes.wording import Speaker
from dalr_bench_plugins.scenes.world import World

KINDS = ("focus", "edit", "swap", "paraphrase", "theme", "random")
_DRAWN = ("focus", "edit", "edit", "swap", "paraphrase", "theme", "random")
_UNITS = int(TOP)
# Share of the other pairs whose second sentence avoids the words of the first, as paraphrases always do.
_FORCED_APART = 0.7
OBJECTS = 4  # of an evaluation scene; any of them may be mentioned


class Pair(NamedTuple):
    """Two different sentences, their gold similarity (0 to 5) and how they were made."""

    left: str
    right: str
    gold: float
    kind: str


class Examiner:
    """Draws scenes and what is said of them for tests, with everything describable; no dial of a source moves it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.speaker = Speaker(world.lexicon, world.size.max_words)

    def scene(self, rng: Random) -> Scene:
        """A fresh scene."""
        return self.world.scene(rng, OBJECTS)

    def meaning(self, rng: Random, scene: Scene) -> Meaning:
        """What somebody says of it."""
        return focus(rng, scene, plan(rng, scene.described, self.world.size.max_words))


def sts_pairs(examiner: Examiner, seed: str, count: int) -> list[Pair]:
    """`count` pairs, equally many per unit of gold similarity, no sentence paired with itself.

    Kinds: `focus` two choices of facts of one scene; `edit` one to three changes; `swap` one attribute exchanged
    between two objects; `paraphrase` the same meaning without a common synonym; `theme` two scenes of one theme;
    `random` any two scenes.
    """
    rng = Random(seed)
    wanted = [count // _UNITS + (unit < count % _UNITS) for unit in range(_UNITS)]
    editor = Editor(examiner.world.lexicon)
    found: list[Pair] = []
    while len(found) < count:
        pair = _pair(examiner, editor, rng)
        if pair is None:
            continue
        unit = min(_UNITS - 1, int(pair.gold))
        if wanted[unit]:
            wanted[unit] -= 1
            found.append(pair)
    return found


def _pair(examiner: Examiner, editor: Editor, rng: Random) -> Pair | None:
    kind = rng.choice(_DRAWN)
    scene = examiner.scene(rng)
    one = examiner.meaning(rng, scene)
    two = _second(examiner, editor, rng, (kind, scene, one))
    if (two == one) != (kind == "paraphrase") or not examiner.speaker.fits(two):
        return None
    left = examiner.speaker.say(rng, one)
    apart = kind == "paraphrase" or rng.random() < _FORCED_APART
    right = examiner.speaker.say(rng, two, frozenset(left.split()) if apart else ())
    return None if left == right else Pair(left, right, similarity(one, two), kind)


def _second(examiner: Examiner, editor: Editor, rng: Random, first: tuple[str, Scene, Meaning]) -> Meaning:
    kind, scene, meaning = first
    if kind == "paraphrase":
        return meaning
    if kind == "focus":
        return examiner.meaning(rng, scene)
    if kind == "edit":
        return editor.edit(rng, meaning)
    if kind == "swap":
        return editor.swap(rng, meaning)
    other = examiner.scene(rng)
    while kind == "theme" and other.theme != scene.theme:
        other = examiner.scene(rng)
    return examiner.meaning(rng, other)
