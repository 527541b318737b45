"""Small changes of a meaning: what sets two almost equal sentences apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from dalr_bench_plugins.scenes.facts import RELATIONS, Meaning, Relation
from dalr_bench_plugins.scenes.lexicon import Lexicon

_HOW_MANY = (1, 1, 2, 3)


class Editor:
    """Changes facts at random. A change that does not apply leaves the meaning as it is."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        # Swaps are over-represented (the kind `swap` adds more): they keep every word's concept and change only what
        # belongs to what, so an encoder without binding cannot see them.
        self._changes: tuple[Callable[[Random, Meaning], Meaning], ...] = (
            self.value,
            self.value,
            self.swap,
            self.swap,
            self.drop,
            self.attribute,
            self.relation,
        )

    def edit(self, rng: Random, meaning: Meaning) -> Meaning:
        """One to three changes of any sort."""
        for _ in range(rng.choice(_HOW_MANY)):
            meaning = rng.choice(self._changes)(rng, meaning)
        return meaning

    def value(self, rng: Random, meaning: Meaning) -> Meaning:
        """Another value for one attribute."""
        place = rng.randrange(len(meaning.objects))
        facts = dict(meaning.objects[place])
        name = rng.choice(sorted(facts))
        facts[name] = rng.choice([value for value in self._lexicon.values(name) if value != facts[name]])
        return _replaced(meaning, {place: facts})

    def swap(self, rng: Random, meaning: Meaning) -> Meaning:
        """Two objects exchange one attribute in which they differ: the same facts, bound otherwise."""
        objects = [dict(mention) for mention in meaning.objects]
        pairs = [(i, j) for j in range(len(objects)) for i in range(j)]
        ways = [
            (name, i, j)
            for i, j in pairs
            for name in ("colour", "pattern", "shape", "size")
            if name in objects[i] and name in objects[j] and objects[i][name] != objects[j][name]
        ]
        if not ways:
            return meaning
        name, i, j = rng.choice(ways)
        objects[i][name], objects[j][name] = objects[j][name], objects[i][name]
        return _replaced(meaning, {i: objects[i], j: objects[j]})

    def drop(self, rng: Random, meaning: Meaning) -> Meaning:
        """Leave out the last object, and a relation it stands in."""
        last = len(meaning.objects) - 1
        if last == 0:
            return meaning
        return Meaning(meaning.objects[:last], tuple(r for r in meaning.relations if last not in (r.a, r.b)))

    def attribute(self, rng: Random, meaning: Meaning) -> Meaning:
        """State one attribute more or less."""
        place = rng.randrange(len(meaning.objects))
        facts = dict(meaning.objects[place])
        name = rng.choice(("colour", "pattern", "size"))
        if facts.pop(name, None) is None:
            facts[name] = rng.choice(self._lexicon.values(name))
        return _replaced(meaning, {place: facts})

    def relation(self, rng: Random, meaning: Meaning) -> Meaning:
        """Another relation, or the same the other way round."""
        if not meaning.relations:
            return meaning
        kind, a, b = meaning.relations[0]
        flipped = Relation(kind, b, a) if rng.random() < 0.5 else Relation(rng.choice(RELATIONS), a, b)
        return meaning._replace(relations=(flipped,))


def _replaced(meaning: Meaning, changed: Mapping[int, Mapping[str, str]]) -> Meaning:
    objects = list(meaning.objects)
    for place, facts in changed.items():
        objects[place] = tuple(sorted(facts.items()))
    return meaning._replace(objects=tuple(objects))
