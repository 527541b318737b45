"""Scenes into pictures. Shapes are inequalities sampled 4x4 a pixel: no library's rounding decides them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random

from PIL import Image, ImageDraw

from dalr_bench_plugins.scenes.facts import Relation, Scene, Thing
from dalr_bench_plugins.scenes.lexicon import PLAIN

RGB = {
    "red": (214, 34, 40),
    "yellow": (246, 214, 36),
    "green": (38, 160, 60),
    "blue": (30, 80, 210),
    "purple": (125, 50, 160),
    "grey": (130, 135, 140),
    "pink": (250, 120, 190),
    "orange": (245, 135, 20),
}
RADIUS = {"large": 9.5, "small": 5.5}  # in 64ths of the edge
_SAMPLES = 4
_REACH = 1.1  # the widest shape, in radii
_INK = (25, 25, 25)

Inside = Callable[[float, float], bool]


def _polygon(corners: Sequence[tuple[float, float]]) -> Inside:
    """Even-odd rule: a ray to the right crosses the outline an odd number of times."""
    edges = list(zip(corners, [*corners[1:], corners[0]], strict=True))

    def inside(u: float, v: float) -> bool:
        crossings = sum(
            (y1 > v) != (y2 > v) and u < x1 + (v - y1) * (x2 - x1) / (y2 - y1) for (x1, y1), (x2, y2) in edges
        )
        return crossings % 2 == 1

    return inside


def _star() -> Inside:
    radii = [1.1 if point % 2 == 0 else 0.45 for point in range(10)]
    return _polygon([(r * math.sin(k * math.pi / 5), -r * math.cos(k * math.pi / 5)) for k, r in enumerate(radii)])


def _heart() -> Inside:
    point = _polygon([(-0.95, -0.25), (0.95, -0.25), (0.0, 1.05)])
    return lambda u, v: (abs(u) - 0.5) ** 2 + (v + 0.4) ** 2 <= 0.27 or point(u, v)


# u to the right, v downwards, in radii from the centre.
OUTLINES: dict[str, Inside] = {
    "circle": lambda u, v: u * u + v * v <= 1,
    "star": _star(),
    "square": lambda u, v: max(abs(u), abs(v)) <= 0.85,
    "moon": lambda u, v: u * u + v * v <= 1 and (u - 0.55) ** 2 + (v + 0.1) ** 2 > 0.72,
    "triangle": _polygon([(0.0, -1.0), (1.0, 0.9), (-1.0, 0.9)]),
    "heart": _heart(),
    "cross": lambda u, v: max(abs(u), abs(v)) <= 1 and min(abs(u), abs(v)) <= 0.3,
    "ring": lambda u, v: 0.27 <= u * u + v * v <= 1,
    "diamond": lambda u, v: abs(u) / 0.75 + abs(v) / 1.1 <= 1,
    "bar": lambda u, v: abs(u) <= 1.05 and abs(v) <= 0.3,
}
# On 4 units of the 64: every fourth line, or a 2x2 dot every 4 both ways.
MARKS: dict[str, Inside] = {
    "striped": lambda x, y: math.floor(y) % 4 == 0,
    "dotted": lambda x, y: math.floor(x) % 4 < 2 and math.floor(y) % 4 < 2,
}


class Painter:
    """Paints scenes as square RGB pictures. Masks are kept: a picture is a handful of pastes, about 0.1 ms."""

    def __init__(self, edge: int = 64) -> None:
        self.edge = edge
        self.unit = edge / 64
        self._masks: dict[tuple[str, str, str], Image.Image] = {}

    def paint(self, scene: Scene, rng: Random) -> Image.Image:
        """The scene on a light ground; `rng` moves only the ground and the tints."""
        ground = rng.randint(225, 250)
        picture = Image.new("RGB", (self.edge, self.edge), (ground, ground, ground))
        draw = ImageDraw.Draw(picture)
        for _, a, b in scene.relations:
            draw.line(
                [self._centre(scene.things[a]), self._centre(scene.things[b])],
                fill=_INK,
                width=max(1, round(self.unit)),
            )
        for thing in scene.things:
            self._thing(picture, thing, rng)
        for relation in scene.relations:
            self._ends(draw, scene, relation)
        return picture

    def _centre(self, thing: Thing) -> tuple[float, float]:
        return thing.x * self.unit, thing.y * self.unit

    def _thing(self, picture: Image.Image, thing: Thing, rng: Random) -> None:
        tint = tuple(min(255, max(0, value + rng.randint(-14, 14))) for value in RGB[thing.colour])
        body = self._mask(thing.shape, thing.size, PLAIN)
        corner = tuple(round(place - body.width / 2) for place in self._centre(thing))
        picture.paste(tint, (corner[0], corner[1]), body)
        if thing.pattern != PLAIN:
            dark = tuple(int(value * 0.3) for value in tint)
            picture.paste(dark, (corner[0], corner[1]), self._mask(thing.shape, thing.size, thing.pattern))

    def _mask(self, shape: str, size: str, pattern: str) -> Image.Image:
        key = shape, size, pattern
        if key not in self._masks:
            self._masks[key] = self._sampled(OUTLINES[shape], RADIUS[size], MARKS.get(pattern, lambda x, y: True))
        return self._masks[key]

    def _sampled(self, outline: Inside, radius: float, mark: Inside) -> Image.Image:
        """Coverage of each pixel by outline and mark, 0 to 255."""
        half = math.ceil(radius * _REACH * self.unit)
        places = [(sample + 0.5) / _SAMPLES - half for sample in range(2 * half * _SAMPLES)]
        mask = Image.new("L", (2 * half, 2 * half))
        full = _SAMPLES * _SAMPLES
        for row in range(2 * half):
            for column in range(2 * half):
                ys, xs = (places[k * _SAMPLES : (k + 1) * _SAMPLES] for k in (row, column))
                points = [(x / self.unit, y / self.unit) for y in ys for x in xs]
                covered = sum(outline(x / radius, y / radius) and mark(x, y) for x, y in points)
                mask.putpixel((column, row), covered * 255 // full)
        return mask

    def _ends(self, draw: ImageDraw.ImageDraw, scene: Scene, relation: Relation) -> None:
        """On top of the things: an arrow's head at its target, a knot at both ends of a tie."""
        a, b = scene.things[relation.a], scene.things[relation.b]
        self._end(draw, a, b, head=relation.kind == "points")
        if relation.kind == "tied":
            self._end(draw, b, a, head=False)

    def _end(self, draw: ImageDraw.ImageDraw, start: Thing, end: Thing, head: bool) -> None:
        (x, y), (to_x, to_y) = self._centre(start), self._centre(end)
        angle = math.atan2(to_y - y, to_x - x)
        reach = RADIUS[end.size] * self.unit
        x, y = to_x - reach * math.cos(angle), to_y - reach * math.sin(angle)
        if head:
            turns = ((0.0, 2.0), (2.5, 6.0), (-2.5, 6.0))
            draw.polygon(
                [
                    (x + far * self.unit * math.cos(angle + turn), y + far * self.unit * math.sin(angle + turn))
                    for turn, far in turns
                ],
                fill=_INK,
            )
        else:
            knot = 1.6 * self.unit
            draw.ellipse([x - knot, y - knot, x + knot, y + knot], fill=_INK)
