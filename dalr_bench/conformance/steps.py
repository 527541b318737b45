"""What a step would hand to a loss: everything there is, or only what the loss declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from dalr_bench.conformance.stand_ins import IMAGE, STUDENT, TEACHERS, TEXT, TOKENS, WORDS
from dalr_bench.plugin.registry import Component, references
from dalr_bench.types import Batch, Encoding, JointSpace, LossInputs, TeacherRows, TokenBatch


@dataclass(frozen=True)
class Declared:
    """What a loss says it looks at."""

    sides: Mapping[str, frozenset[str]]
    spaces: tuple[str, ...]
    tokens: bool
    pixels: int
    views: int

    @property
    def pictures(self) -> bool:
        return bool(self.pixels) or any("image" in sides for sides in self.sides.values()) or bool(self.spaces)


def declared(component: Component, options: Mapping[str, Any], loss: Any) -> Declared:
    """Read off the typed options and the attributes, as the harness does."""
    sides: dict[str, set[str]] = {}
    spaces = []
    for _, ref, name in references(component, options):
        if ref.section == "teachers":
            sides.setdefault(name, set()).add(ref.side or "text")
        elif ref.section == "losses":
            spaces.append(name)
    pixels = int(getattr(loss, "needs_pixels", 0) or 0)
    asked = {name: frozenset(found) for name, found in sides.items()}
    return Declared(
        asked, tuple(spaces), bool(getattr(loss, "needs_tokens", False)), pixels, int(getattr(loss, "views", 2))
    )


class _AnyName(dict[str, TeacherRows]):
    """Teachers that go by any name."""

    def __missing__(self, name: str) -> TeacherRows:
        return self[TEACHERS[0]]


@dataclass(frozen=True)
class Maker:
    """Draws inputs of one form on one device. `shape` is how the student's rows are drawn: see `rows`."""

    wanted: Declared
    n: int = 6
    shape: str = "random"
    device: str = "cpu"
    everything: bool = False
    seed: int = 0
    _all: Mapping[str, frozenset[str]] = field(
        default_factory=lambda: dict.fromkeys(TEACHERS, frozenset({"text", "image", "states"}))
    )

    def inputs(self) -> LossInputs:
        """Inputs with a graph on the student's rows."""
        draw = torch.Generator().manual_seed(self.seed)
        sides = {**self._all, **self.wanted.sides} if self.everything else self.wanted.sides
        teachers: Mapping[str, TeacherRows] = {name: self._teacher(draw, side) for name, side in sides.items()}
        if self.everything:
            teachers = _AnyName(teachers)
        ids_NL = torch.randint(4, WORDS, (self.n, TOKENS), generator=draw)
        tokens = TokenBatch(ids_NL.to(self.device), torch.ones_like(ids_NL).to(self.device))
        keys = torch.arange(self.n) // 2 if self.wanted.pictures or self.everything else None
        edge = self.wanted.pixels or (16 if self.everything else 0)
        pixels = torch.randint(256, (self.n, 3, edge, edge), generator=draw, dtype=torch.uint8) if edge else None
        batch = Batch("pairs", torch.arange(self.n).to(self.device), tokens, self._on(keys), teachers, self._on(pixels))
        return LossInputs(
            batch, self._encoding(draw), teachers, self._spaces(draw), 0, torch.Generator().manual_seed(3)
        )

    def _encoding(self, draw: torch.Generator) -> Encoding:
        views = max(self.wanted.views, 3 if self.everything else 1)
        pooled, projected = (self._rows(draw, self.n, views, STUDENT).requires_grad_() for _ in range(2))
        states = None
        if self.wanted.tokens or self.everything:
            states = self._rows(draw, self.n, views, TOKENS, STUDENT).requires_grad_()
        return Encoding(pooled, projected, states)

    def _rows(self, draw: torch.Generator, *size: int) -> Tensor:
        made = torch.randn(*size, generator=draw)
        if self.shape == "equal":
            made = made[:1].expand(size).clone()
        elif self.shape == "zero":
            made = torch.zeros(size)
        elif self.shape == "long":
            made = made * 1e4
        return made.to(self.device)

    def _teacher(self, draw: torch.Generator, sides: frozenset[str]) -> TeacherRows:
        text = self._rows(draw, self.n, TEXT) if "text" in sides else None
        image = self._rows(draw, self.n, IMAGE) if "image" in sides else None
        states = self._rows(draw, self.n, TOKENS, TEXT) if "states" in sides else None
        mask = None if states is None else torch.ones(self.n, TOKENS, dtype=torch.bool).to(self.device)
        return TeacherRows(text, image, None, states, mask)

    def _spaces(self, draw: torch.Generator) -> dict[str, JointSpace]:
        names = {*self.wanted.spaces, *(("space",) if self.everything else ())}
        out = {}
        for name in sorted(names):
            text, image = (
                torch.randn(self.n, self.wanted.views, 8, generator=draw),
                torch.randn(self.n, 8, generator=draw),
            )
            unit = [torch.nn.functional.normalize(rows, dim=-1).to(self.device) for rows in (text, image)]
            out[name] = JointSpace(unit[0].requires_grad_(), unit[1])
        return out

    def _on(self, tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.to(self.device)

    def but(self, **changed: Any) -> Maker:
        """The same, but for these."""
        return replace(self, **changed)
