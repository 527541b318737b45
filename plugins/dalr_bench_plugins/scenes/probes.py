"""Transfer without a shared word: trained on one half of the synonyms of shapes and colours, tested on the other half.

With all synonyms in training a bag of words solves such tasks (99 %), so they would measure nothing.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from dalr_bench_plugins.scenes.pairs import Examiner

QUESTIONS = ("colour", "shape")


class Probe(NamedTuple):
    """A sentence with the first colour and the first shape it names, as numbers of the lexicon's values."""

    sentence: str
    colour: int
    shape: int


def probe_rows(examiner: Examiner, seed: str, count: int, second_half: bool) -> list[Probe]:
    """`count` different sentences that name a colour, using the first or the second half of the synonyms."""
    rng = Random(seed)
    lexicon = examiner.world.lexicon
    half = examiner.world.size.synonyms // 2
    start, stop = (half, 2 * half) if second_half else (0, half)
    avoid = lexicon.outside(QUESTIONS, start, stop)
    concepts = lexicon.concepts()
    found: dict[str, Probe] = {}
    while len(found) < count:
        sentence = examiner.speaker.say(rng, examiner.meaning(rng, examiner.scene(rng)), avoid)
        first: dict[str, str] = {}
        for word in sentence.split():
            attribute, value = concepts.get(word, ("", ""))
            first.setdefault(attribute, value)
        if "colour" in first:
            numbers = (lexicon.values(name).index(first[name]) for name in QUESTIONS)
            found[sentence] = Probe(sentence, *numbers)
    return list(found.values())
