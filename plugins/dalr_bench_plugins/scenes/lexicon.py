"""The words of the world: concepts, their synonyms, and which of them a world of a given size uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ATTRIBUTES = ("shape", "colour", "size", "pattern")
PLAIN = "plain"  # the pattern nobody mentions

# Each concept by its plain name: that name first, then its synonyms. No word belongs to two concepts.
_SHAPES = {
    "circle": "circle disc ball orb globe",
    "star": "star sparkle pentagram asterisk starlet",
    "square": "square box block tile cube",
    "moon": "moon crescent sickle croissant lune",
    "triangle": "triangle wedge pyramid cone delta",
    "heart": "heart valentine cardioid sweetheart amulet",
    "cross": "cross plus crucifix sword junction",
    "ring": "ring hoop loop donut circlet",
    "diamond": "diamond rhombus kite lozenge gem",
    "bar": "bar stick rod plank beam",
}
_COLOURS = {
    "red": "red crimson scarlet ruby cherry",
    "yellow": "yellow golden lemon canary mustard",
    "green": "green emerald lime mint olive",
    "blue": "blue azure navy cobalt sapphire",
    "purple": "purple violet lilac plum mauve",
    "grey": "grey ashen silver slate pewter",
    "pink": "pink rosy magenta salmon fuchsia",
    "orange": "orange amber tangerine apricot copper",
}
_SIZES = {"large": "large big huge giant massive", "small": "small little tiny mini petite"}
_PATTERNS = {"striped": "striped banded lined", "dotted": "dotted spotted speckled"}


@dataclass(frozen=True)
class Lexicon:
    """Synonyms by attribute and value: `words["colour"]["red"] == ("red", "crimson", ...)`, the plain name first."""

    words: Mapping[str, Mapping[str, tuple[str, ...]]]

    def values(self, attribute: str) -> tuple[str, ...]:
        """What the attribute can be said to be ("plain" is never said)."""
        return tuple(self.words[attribute])

    def concepts(self) -> dict[str, tuple[str, str]]:
        """Every content word with the (attribute, value) it means."""
        return {
            word: (attribute, value)
            for attribute, values in self.words.items()
            for value, synonyms in values.items()
            for word in synonyms
        }

    def outside(self, attributes: tuple[str, ...], first: int, last: int) -> frozenset[str]:
        """Words of these attributes whose place among their synonyms is not in [first, last)."""
        return frozenset(
            word
            for attribute in attributes
            for synonyms in self.words[attribute].values()
            for place, word in enumerate(synonyms)
            if not first <= place < last
        )


def lexicon(shapes: int, colours: int, synonyms: int) -> Lexicon:
    """The first `shapes` shapes and `colours` colours with `synonyms` words each (patterns know three at most)."""

    def cut(table: Mapping[str, str], size: int) -> dict[str, tuple[str, ...]]:
        return {value: tuple(words.split()[:synonyms]) for value, words in list(table.items())[:size]}

    return Lexicon(
        {
            "shape": cut(_SHAPES, shapes),
            "colour": cut(_COLOURS, colours),
            "size": cut(_SIZES, len(_SIZES)),
            "pattern": cut(_PATTERNS, len(_PATTERNS)),
        }
    )
