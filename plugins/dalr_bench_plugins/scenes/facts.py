"""What there is and what is said: a scene holds things and relations, a meaning the facts one sentence states."""

from __future__ import annotations

from typing import NamedTuple

RELATIONS = ("left", "above", "points", "tied")
DRAWN = ("points", "tied")  # shown by an arrow or a line; the other two are read off the positions
SYMMETRIC = ("tied",)


class Thing(NamedTuple):
    """One object; `x` and `y` are its centre in 64ths of the picture's edge."""

    shape: str
    colour: str
    size: str
    pattern: str
    x: int
    y: int


class Relation(NamedTuple):
    """`kind` holds from object `a` to object `b` (positions in the scene's or the meaning's list)."""

    kind: str
    a: int
    b: int


class Scene(NamedTuple):
    """`described` is how many things, the first ones, captions may mention; the rest is only in the picture."""

    things: tuple[Thing, ...]
    relations: tuple[Relation, ...]
    theme: int
    described: int


Mention = tuple[tuple[str, str], ...]  # (attribute, value), sorted; the shape is always among them


class Meaning(NamedTuple):
    """The facts of one sentence: per object the attributes it mentions, and relations between those objects."""

    objects: tuple[Mention, ...]
    relations: tuple[Relation, ...]

    def facts(self) -> int:
        """How many facts are stated: attributes (shapes included) and relations."""
        return sum(map(len, self.objects)) + len(self.relations)


# Cells are 21 apart and jitter by 2, so two things always differ by more than this along one axis at least.
_APART = 12


def positions(scene: Scene, first: int, second: int) -> list[Relation]:
    """The relations that can be read off two things' places; never empty."""
    one, two = scene.things[first], scene.things[second]
    found = []
    for kind, here, there in (("left", one.x, two.x), ("above", one.y, two.y)):
        if abs(here - there) > _APART:
            found.append(Relation(kind, first, second) if here < there else Relation(kind, second, first))
    return found
