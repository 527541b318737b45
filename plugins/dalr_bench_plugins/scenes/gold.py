"""Gold similarity of two meanings: a soft Dice of bound facts.

sim(a, b) = 5 · 2 · match(a, b) / (mass(a) + mass(b)). Mass sums the weights of all stated facts; match is the largest
weight of shared facts over one-to-one assignments of the objects. An attribute is shared if its own object carries the
same value in both; a relation if kind and direction agree between the assigned objects and each of these shares an
attribute. Inverse phrases state one relation; "tied" has no direction.
Weights: shape 1, colour 1, size 0.5, pattern 0.5, relation 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from dalr_bench_plugins.scenes.facts import SYMMETRIC, Meaning, Mention, Relation

WEIGHTS = {"shape": 1.0, "colour": 1.0, "size": 0.5, "pattern": 0.5}
RELATION_WEIGHT = 1.0
TOP = 5.0


def mass(meaning: Meaning) -> float:
    """Weight of all facts stated."""
    attributes = sum(WEIGHTS[name] for mention in meaning.objects for name, _ in mention)
    return attributes + RELATION_WEIGHT * len(meaning.relations)


def similarity(one: Meaning, two: Meaning) -> float:
    """0 (nothing shared) to 5 (the same facts); symmetric."""
    few, many = sorted((one, two), key=lambda meaning: len(meaning.objects))
    shared = [[_shared(mine, theirs) for theirs in many.objects] for mine in few.objects]
    known = set(many.relations) | {Relation(kind, b, a) for kind, a, b in many.relations if kind in SYMMETRIC}
    best = max(
        sum(row[target] for row, target in zip(shared, to, strict=True)) + _relations(few, known, shared, to)
        for to in permutations(range(len(many.objects)), len(few.objects))
    )
    return TOP * 2 * best / (mass(one) + mass(two))


def _shared(mine: Mention, theirs: Mention) -> float:
    return sum(WEIGHTS[name] for name, value in mine if (name, value) in theirs)


def _relations(few: Meaning, known: set[Relation], shared: Sequence[Sequence[float]], to: Sequence[int]) -> float:
    return RELATION_WEIGHT * sum(
        Relation(kind, to[a], to[b]) in known and shared[a][to[a]] > 0 and shared[b][to[b]] > 0
        for kind, a, b in few.relations
    )
