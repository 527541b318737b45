"""Which facts a caption states. How many is planned once per scene, which ones is drawn per caption: so captions of one
image can be made to differ without becoming longer or shorter."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from dalr_bench_plugins.scenes.facts import Meaning, Mention, Relation, Scene, Thing, positions
from dalr_bench_plugins.scenes.lexicon import PLAIN
from dalr_bench_plugins.scenes.wording import fewest_words

_OBJECTS = (1, 2, 2, 2, 3)  # objects of a caption
_EXTRAS = (0, 1, 1, 1, 2, 2, 2)  # attributes beside the shape; two are always at hand, since "plain" is never said
_STATES_RELATION = 0.7
_PREFERS_DRAWN = 0.7  # an arrow or line between mentioned objects is stated rather than their places
_KEENNESS = {"colour": 7.0, "size": 2.0, "pattern": 3.0}  # how readily an attribute is chosen


class Plan(NamedTuple):
    """`extras[i]` attributes beside the shape for the i-th object; one relation or none."""

    extras: tuple[int, ...]
    relation: bool


def plan(rng: Random, described: int, max_words: int) -> Plan:
    """How many facts the captions of a scene state: as many as `max_words` can carry in the shortest wording."""
    count = min(described, rng.choice(_OBJECTS))
    extras = [rng.choice(_EXTRAS) for _ in range(count)]
    relation = rng.random() < _STATES_RELATION and count > 1
    while fewest_words(extras, relation) > max_words:
        extras[extras.index(max(extras))] -= 1
    return Plan(tuple(extras), relation)


def focus(rng: Random, scene: Scene, planned: Plan) -> Meaning:
    """One choice of facts of the scene that fills the plan."""
    chosen = rng.sample(range(scene.described), len(planned.extras))
    objects = tuple(
        _mention(rng, scene.things[index], extra) for index, extra in zip(chosen, planned.extras, strict=True)
    )
    if not planned.relation:
        return Meaning(objects, ())
    kind, a, b = _relation(rng, scene, chosen)
    return Meaning(objects, (Relation(kind, chosen.index(a), chosen.index(b)),))


def _mention(rng: Random, thing: Thing, extras: int) -> Mention:
    """The shape and `extras` further attributes; an exponential race draws the keener ones more often."""
    facts = [("shape", thing.shape)]
    if extras:
        open_to = [("colour", thing.colour), ("size", thing.size)]
        if thing.pattern != PLAIN:
            open_to.append(("pattern", thing.pattern))
        if extras < len(open_to):
            order = sorted((rng.expovariate(_KEENNESS[fact[0]]), fact) for fact in open_to)
            open_to = [fact for _, fact in order[:extras]]
        facts += open_to
    return tuple(sorted(facts))


def _relation(rng: Random, scene: Scene, chosen: list[int]) -> Relation:
    drawn = [relation for relation in scene.relations if relation.a in chosen and relation.b in chosen]
    if drawn and rng.random() < _PREFERS_DRAWN:
        return rng.choice(drawn)
    return rng.choice(positions(scene, *rng.sample(chosen, 2)))
