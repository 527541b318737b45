"""Meanings into English: synonyms, adjectives before or after the noun, active and inverse relation phrases, frames."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random

from dalr_bench_plugins.scenes.facts import Meaning, Mention, Relation
from dalr_bench_plugins.scenes.lexicon import Lexicon

DETERMINERS = ("a", "a", "one", "the")  # "a" twice as often; it becomes "an" where the next word asks for it
FRAMES = (
    "{}",
    "there is {}",
    "here is {}",
    "this picture has {}",
    "we see {}",
    "{} can be seen",
    "someone drew {}",
)
# First the phrases that begin with {a}'s side of the relation, then their inverses: both state the same fact.
PHRASES: dict[str, tuple[str, ...]] = {
    "left": (
        "{a} is left of {b}",
        "{a} sits west of {b}",
        "{a} has {b} on its right",
        "{b} is right of {a}",
        "{b} sits east of {a}",
        "{b} has {a} on its left",
    ),
    "above": (
        "{a} is above {b}",
        "{a} hangs over {b}",
        "on top of {b} sits {a}",
        "{b} is below {a}",
        "{b} lies under {a}",
        "beneath {a} lies {b}",
    ),
    "points": (
        "{a} points at {b}",
        "{a} aims at {b}",
        "{a} sends an arrow to {b}",
        "{b} is pointed at by {a}",
        "{b} is targeted by {a}",
        "an arrow goes to {b} from {a}",
    ),
    "tied": (
        "{a} is tied to {b}",
        "{a} is linked with {b}",
        "a line joins {a} and {b}",
        "{a} and {b} are connected",
        "{b} is tied to {a}",
        "{b} is linked with {a}",
        "a line joins {b} and {a}",
        "{b} and {a} are connected",
    ),
}
BESIDES = ("{s} , also {c}", "{s} and there is {c}", "besides {c} , {s}")
JOINS = ("and", ",")
AFTER = ("that is", "which looks")
AFTER_COLOUR = ("in", "coloured", *AFTER)
_BEFORE_NOUN = {
    "size": 0.75,
    "pattern": 0.75,
    "colour": 0.7,
}  # order of adjectives, and how often they stand before the noun
_TRIES = 8


def _added(template: str) -> int:
    """Words a template adds to those of its slots."""
    return sum("{" not in word for word in template.split())


_SHORTEST = {kind: min(phrases, key=_added) for kind, phrases in PHRASES.items()}


def fewest_words(extras: Sequence[int], relation: bool) -> int:
    """Words of the shortest wording of objects with so many attributes beside the shape, for the wordiest relation."""
    objects = sum(2 + extra for extra in extras)
    if not relation:
        return objects + len(extras) - 1
    rest = len(extras) - 2
    return objects + max(_added(_SHORTEST[kind]) for kind in PHRASES) + (_added(BESIDES[0]) + rest - 1 if rest else 0)


def function_words() -> set[str]:
    """Every word of the grammar that names no attribute."""
    frames = [*FRAMES, *BESIDES, *AFTER_COLOUR, *(phrase for phrases in PHRASES.values() for phrase in phrases)]
    words = {word for frame in frames for word in frame.split() if "{" not in word}
    return words | set(DETERMINERS) | set(JOINS) | {"an", "and"}


def relation_words() -> dict[str, str]:
    """Words that give a relation away: they occur in phrases of one kind and nowhere else in the grammar."""
    uses = {kind: {word for phrase in phrases for word in phrase.split()} for kind, phrases in PHRASES.items()}
    elsewhere = {
        word for frame in (*FRAMES, *BESIDES, *AFTER_COLOUR, *JOINS, *DETERMINERS, "an") for word in frame.split()
    }
    return {
        word: kind
        for kind, words in uses.items()
        for word in sorted(words - elsewhere)
        if "{" not in word and not any(word in other for name, other in uses.items() if name != kind)
    }


class Speaker:
    """Says meanings in sentences of at most `max_words` words (commas count)."""

    def __init__(self, lexicon: Lexicon, max_words: int) -> None:
        self.words = lexicon.words
        self.max_words = max_words

    def vocabulary(self) -> tuple[str, ...]:
        """Every word a sentence can hold, sorted: from the grammar, so no corpus size moves an id."""
        content = {word for values in self.words.values() for words in values.values() for word in words}
        return tuple(sorted(content | function_words()))

    def fits(self, meaning: Meaning) -> bool:
        """Whether some wording keeps to `max_words`."""
        return (
            fewest_words([len(mention) - 1 for mention in meaning.objects], bool(meaning.relations)) <= self.max_words
        )

    def say(self, rng: Random, meaning: Meaning, avoid: Collection[str] = ()) -> str:
        """A random wording; without the words in `avoid` where a synonym is left. `fits` must hold."""
        for _ in range(_TRIES):
            sentence = self._once(rng, meaning, avoid)
            if sentence.count(" ") < self.max_words:
                return sentence
        return self._shortest(rng, meaning, avoid)

    def _once(self, rng: Random, meaning: Meaning, avoid: Collection[str]) -> str:
        nouns = [self._noun(rng, mention, avoid) for mention in meaning.objects]
        if not meaning.relations:
            rng.shuffle(nouns)
            return rng.choice(FRAMES).format(_listed(nouns, rng.choice(JOINS)))
        return _related(
            nouns, meaning.relations[0], rng.choice(PHRASES[meaning.relations[0].kind]), rng.choice(BESIDES)
        )

    def _shortest(self, rng: Random, meaning: Meaning, avoid: Collection[str]) -> str:
        nouns = [_with_article(["a", *self._adjectives(rng, mention, avoid)]) for mention in meaning.objects]
        if not meaning.relations:
            return _listed(nouns, "and")
        return _related(nouns, meaning.relations[0], _SHORTEST[meaning.relations[0].kind], BESIDES[0])

    def _adjectives(self, rng: Random, mention: Mention, avoid: Collection[str]) -> list[str]:
        facts = dict(mention)
        return [self._word(rng, name, facts[name], avoid) for name in (*_BEFORE_NOUN, "shape") if name in facts]

    def _word(self, rng: Random, attribute: str, value: str, avoid: Collection[str]) -> str:
        words = self.words[attribute][value]
        if avoid:
            words = tuple(word for word in words if word not in avoid) or words
        return rng.choice(words)

    def _noun(self, rng: Random, mention: Mention, avoid: Collection[str]) -> str:
        """Article, adjectives, noun, and what is said of it afterwards ("that is red and striped", "in red")."""
        facts = dict(mention)
        before = [rng.choice(DETERMINERS)]
        after: list[str] = []
        said_after = ""
        for name, share in _BEFORE_NOUN.items():
            if name in facts:
                here = rng.random() < share
                (before if here else after).append(self._word(rng, name, facts[name], avoid))
                said_after = said_after if here else name
        before.append(self._word(rng, "shape", facts["shape"], avoid))
        noun = _with_article(before)
        if not after:
            return noun
        joint = rng.choice(AFTER_COLOUR if len(after) == 1 and said_after == "colour" else AFTER)
        return f"{noun} {joint} {' and '.join(after)}"


def _with_article(words: list[str]) -> str:
    if words[0] == "a" and words[1][0] in "aeiou":
        words[0] = "an"
    return " ".join(words)


def _listed(nouns: Sequence[str], join: str) -> str:
    return nouns[0] if len(nouns) == 1 else f"{f' {join} '.join(nouns[:-1])} and {nouns[-1]}"


def _related(nouns: Sequence[str], relation: Relation, phrase: str, besides: str) -> str:
    sentence = phrase.format(a=nouns[relation.a], b=nouns[relation.b])
    rest = [noun for place, noun in enumerate(nouns) if place not in (relation.a, relation.b)]
    return besides.format(s=sentence, c=" and ".join(rest)) if rest else sentence
