"""Counts of concepts in the world of scenes: what knowing every synonym gives, without knowing what belongs to what."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from dalr_bench import hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.scenes.gold import RELATION_WEIGHT, WEIGHTS
from dalr_bench_plugins.scenes.lexicon import lexicon
from dalr_bench_plugins.scenes.wording import Speaker, relation_words

if TYPE_CHECKING:
    from dalr_bench_plugins.bags.encoder import BagEncoder


def concept_bag(
    weighted: bool = True,
    shapes: Annotated[int, Field(ge=2, le=10)] = 6,
    colours: Annotated[int, Field(ge=2, le=8)] = 6,
    synonyms: Annotated[int, Field(ge=1, le=5)] = 4,
) -> BagEncoder:
    """One column per concept of the scenes world, by an oracle for synonyms: a ceiling without binding.

    * `weighted`: columns weigh the square root of what the gold similarity gives them, so that a dot product of two bags
      is the weight of the concepts they share. Otherwise all weigh 1.
    * `shapes`, `colours`, `synonyms`: the world's size, as its source was given.

    Source: the grammar of this project's own world (`scenes/lexicon.py`, `scenes/wording.py`).

    Relations count by the words only their phrases use; frames, articles and the like count nothing.
    """
    from dalr_bench_plugins.bags.encoder import BagEncoder

    known = lexicon(shapes, colours, synonyms)
    concepts = {**known.concepts(), **{word: ("relation", kind) for word, kind in relation_words().items()}}
    places = {concept: column for column, concept in enumerate(sorted(set(concepts.values())))}
    worth = {**WEIGHTS, "relation": RELATION_WEIGHT}
    columns = {word: places[concept] for word, concept in concepts.items()}
    weights = {word: math.sqrt(worth[attribute]) for word, (attribute, _) in concepts.items()} if weighted else {}
    facts = {"model": "concept_bag", "weighted": weighted}
    return BagEncoder(Speaker(known, max_words=0).vocabulary(), columns, weights, facts)


@hookimpl
def register_backbones(register: Register) -> None:
    register("concept_bag", concept_bag)
