"""Scenes by theme: a theme prefers some kinds, a size, a pattern and a relation, so that words keep company."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from dalr_bench_plugins.scenes.facts import DRAWN, RELATIONS, Relation, Scene, Thing
from dalr_bench_plugins.scenes.lexicon import PLAIN, Lexicon, lexicon

CELLS = tuple((column, row) for column in range(3) for row in range(3))
_KINDS_OF_A_THEME = 4
_PATTERN_SKEW = 0.6  # patterns follow the theme less than kinds and sizes do
_RELATED = 0.7  # share of scenes with a drawn relation


@dataclass(frozen=True)
class WorldSize:
    """What decides the world: its words and its themes. `world` seeds the themes, `skew` is how often they rule."""

    shapes: int = 6
    colours: int = 6
    synonyms: int = 4
    world: int = 0
    themes: int = 6
    skew: float = 0.6
    max_words: int = 13

    def __str__(self) -> str:
        return (
            f"world {self.world}: {self.shapes} shapes, {self.colours} colours, {self.synonyms} synonyms, "
            f"{self.themes} themes, skew {self.skew:g}, {self.max_words} words"
        )


@dataclass(frozen=True)
class Theme:
    """What scenes of this theme prefer."""

    kinds: tuple[tuple[str, str], ...]
    size: str
    pattern: str
    relation: str


class World:
    """Draws scenes. The described things come from one generator and the hidden ones from another: how many are hidden
    moves nothing a caption could say."""

    def __init__(self, size: WorldSize) -> None:
        self.size = size
        self.lexicon: Lexicon = lexicon(size.shapes, size.colours, size.synonyms)
        self.shapes = self.lexicon.values("shape")
        self.colours = self.lexicon.values("colour")
        self.sizes = self.lexicon.values("size")
        self.patterns = (PLAIN, PLAIN, *self.lexicon.values("pattern"))
        rng = Random(f"scenes/world/{size.world}")
        self.themes = tuple(self._theme(rng) for _ in range(size.themes))

    def _theme(self, rng: Random) -> Theme:
        shapes = rng.sample(self.shapes, min(_KINDS_OF_A_THEME, len(self.shapes)))
        kinds = tuple((shape, rng.choice(self.colours)) for shape in shapes)
        return Theme(kinds, rng.choice(self.sizes), rng.choice(sorted(set(self.patterns))), rng.choice(RELATIONS))

    def scene(self, rng: Random, described: int, hidden: int = 0, hidden_rng: Random | None = None) -> Scene:
        """`described` things a caption may mention and `hidden` further ones, from `hidden_rng`; 9 at most."""
        number = rng.randrange(len(self.themes))
        theme = self.themes[number]
        cells = rng.sample(CELLS, described)
        things: list[Thing] = []
        for cell in cells:
            things.append(self._thing(rng, theme, cell, things))
        relations = self._drawn(rng, theme, described)
        if hidden and hidden_rng is not None:
            free = [cell for cell in CELLS if cell not in cells]
            hidden_rng.shuffle(free)
            for cell in free[:hidden]:
                things.append(self._thing(hidden_rng, theme, cell, things))
        return Scene(tuple(things), relations, number, described)

    def _thing(self, rng: Random, theme: Theme, cell: tuple[int, int], others: list[Thing]) -> Thing:
        skew = self.size.skew
        shape, colour = rng.choice(theme.kinds) if rng.random() < skew else self._any_kind(rng)
        taken = {(thing.shape, thing.colour) for thing in others}
        # Two of a kind would make "the red star" ambiguous; in a world with few kinds it cannot be helped.
        for _ in range(20):
            if (shape, colour) not in taken:
                break
            shape, colour = self._any_kind(rng)
        size = theme.size if rng.random() < skew else rng.choice(self.sizes)
        pattern = theme.pattern if rng.random() < skew * _PATTERN_SKEW else rng.choice(self.patterns)
        x, y = (11 + 21 * place + rng.randint(-2, 2) for place in cell)
        return Thing(shape, colour, size, pattern, x, y)

    def _any_kind(self, rng: Random) -> tuple[str, str]:
        return rng.choice(self.shapes), rng.choice(self.colours)

    def _drawn(self, rng: Random, theme: Theme, described: int) -> tuple[Relation, ...]:
        if described < 2 or rng.random() >= _RELATED:
            return ()
        a, b = rng.sample(range(described), 2)
        habit = theme.relation in DRAWN and rng.random() < self.size.skew
        return (Relation(theme.relation if habit else rng.choice(DRAWN), a, b),)
