"""Reads a caption back into facts, by a grammar written down a second time: the tests hold the generator against it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import permutations

from dalr_bench_plugins.scenes.facts import Meaning, Scene
from dalr_bench_plugins.scenes.lexicon import Lexicon

# `#` is a noun phrase. (kind, from, to): which of the phrases, in reading order, the relation holds from and to.
STATEMENTS = {
    "# is left of #": ("left", 0, 1),
    "# sits west of #": ("left", 0, 1),
    "# has # on its right": ("left", 0, 1),
    "# is right of #": ("left", 1, 0),
    "# sits east of #": ("left", 1, 0),
    "# has # on its left": ("left", 1, 0),
    "# is above #": ("above", 0, 1),
    "# hangs over #": ("above", 0, 1),
    "on top of # sits #": ("above", 1, 0),
    "# is below #": ("above", 1, 0),
    "# lies under #": ("above", 1, 0),
    "beneath # lies #": ("above", 0, 1),
    "# points at #": ("points", 0, 1),
    "# aims at #": ("points", 0, 1),
    "# sends an arrow to #": ("points", 0, 1),
    "# is pointed at by #": ("points", 1, 0),
    "# is targeted by #": ("points", 1, 0),
    "an arrow goes to # from #": ("points", 1, 0),
    "# is tied to #": ("tied", 0, 1),
    "# is linked with #": ("tied", 0, 1),
    "a line joins # and #": ("tied", 0, 1),
    "# and # are connected": ("tied", 0, 1),
}
FRAMES = {
    "#",
    "there is #",
    "here is #",
    "this picture has #",
    "we see #",
    "# can be seen",
    "someone drew #",
}


@dataclass(frozen=True)
class Read:
    """Objects in reading order, and the relation between two of them, if one is stated."""

    objects: tuple[dict[str, str], ...]
    relation: tuple[str, int, int] | None


class Reader:
    """Knows the lexicon's words and the grammar above; raises ValueError for anything else."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.concepts = lexicon.concepts()
        shapes = "|".join(word for word, (name, _) in self.concepts.items() if name == "shape")
        others = "|".join(word for word, (name, _) in self.concepts.items() if name != "shape")
        after = rf"(?: (?:that is|which looks|in|coloured) (?:{others})\b(?: and (?:{others})\b)*)?"
        self.noun = re.compile(rf"\b(an?|one|the)((?: (?:{others}))*) ({shapes})\b({after})")

    def read(self, sentence: str) -> Read:
        """What the sentence states."""
        objects = []
        for found in self.noun.finditer(sentence):
            article, first = found[1], found[0].split()[1]
            if article in ("a", "an") and (article == "an") != (first[0] in "aeiou"):
                raise ValueError(f"article: {found[0]}")
            facts = [self.concepts[word] for word in found[0].split() if word in self.concepts]
            if len(dict(facts)) != len(facts):
                raise ValueError(f"an attribute said twice: {found[0]}")
            objects.append(dict(facts))
        skeleton = self.noun.sub("#", sentence)
        return Read(tuple(objects), self._relation(skeleton))

    def _relation(self, skeleton: str) -> tuple[str, int, int] | None:
        shift = 0
        core = skeleton
        if core.startswith("besides # , "):
            core, shift = core.removeprefix("besides # , "), 1
        core = core.removesuffix(" , also #").removesuffix(" and there is #")
        if core in STATEMENTS:
            kind, start, end = STATEMENTS[core]
            return kind, start + shift, end + shift
        if re.sub(r"# (?:(?:,|and) # )?(?:,|and) #", "#", skeleton) in FRAMES:
            return None
        raise ValueError(f"no such sentence: {skeleton}")


def facts_of(read: Read) -> tuple[list[str], list[str]]:
    """A form without order: objects, and the relation with its two objects spelled out."""
    objects = [repr(sorted(thing.items())) for thing in read.objects]
    return sorted(objects), _spelled(objects, [read.relation] if read.relation else [])


def facts_meant(meaning: Meaning) -> tuple[list[str], list[str]]:
    """The same form of a meaning."""
    objects = [repr(sorted(mention)) for mention in meaning.objects]
    return sorted(objects), _spelled(objects, [(r.kind, r.a, r.b) for r in meaning.relations])


def _spelled(objects: list[str], relations: list[tuple[str, int, int]]) -> list[str]:
    return [
        repr((kind, sorted((objects[a], objects[b])) if kind == "tied" else [objects[a], objects[b]]))
        for kind, a, b in relations
    ]


def is_true(read: Read, scene: Scene) -> bool:
    """Whether some choice of describable things has every attribute and the relation."""
    things = [thing._asdict() for thing in scene.things[: scene.described]]
    for chosen in permutations(range(len(things)), len(read.objects)):
        same = all(
            things[place][name] == value
            for place, said in zip(chosen, read.objects, strict=True)
            for name, value in said.items()
        )
        if same and (
            read.relation is None or _holds(scene, read.relation[0], chosen[read.relation[1]], chosen[read.relation[2]])
        ):
            return True
    return False


def _holds(scene: Scene, kind: str, a: int, b: int) -> bool:
    if kind == "left":
        return scene.things[a].x < scene.things[b].x
    if kind == "above":
        return scene.things[a].y < scene.things[b].y
    drawn = {tuple(relation) for relation in scene.relations}
    return (kind, a, b) in drawn or (kind == "tied" and (kind, b, a) in drawn)
