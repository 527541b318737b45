"""What is raced: one model, one order of batches, one way to pool; handed to every side as a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dalr_bench.protocols import Compiling

OURS, BARE, COMPILED = "ours", "ours without teachers", "ours compiled"


@dataclass(frozen=True)
class Wish:
    """What the command line asks for. `shape` is layers, width, heads and inner width of a random encoder (None: the
    model's own weights), `model` None a small one from scratch; `teachers` how many, `teacher` of which model (None:
    the student's). `warm_up` rounds go before the `rounds` that count. `precision` is ours, `their_precision` the rivals'.
    `compile`: a further side of ours trains with that `train.compile`.
    """

    model: str | None = None
    shape: tuple[int, int, int, int] | None = None
    pooling: str = "cls"
    batch: int = 64
    max_length: int = 32
    precision: str = "fp32"
    their_precision: str = "fp32"
    device: str = "cpu"
    threads: int = 1
    rounds: int = 8
    warm_up: int = 3
    teachers: int = 0
    teacher: str | None = None
    temperature: float = 0.05
    seed: int = 0
    compile: Compiling = "none"


@dataclass(frozen=True)
class Setting:
    """A race. `model` and `teachers` are sentence-transformers folders, `sentences` a JSON list on disk, `batches` row
    numbers of every step (the first ones warm up). `student` and `losses` are the components of our side, `rivals` the
    modules of the others by the name they are printed under.
    """

    wish: Wish
    model: str
    sentences: str
    batches: Sequence[Sequence[int]]
    student: Mapping[str, Any]
    losses: Mapping[str, Mapping[str, Any]]
    teachers: Sequence[str] = ()
    rivals: Mapping[str, str] = field(default_factory=dict)

    def texts(self) -> list[str]:
        """All sentences."""
        found: list[str] = json.loads(Path(self.sentences).read_text(encoding="utf-8"))
        return found

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


def read(path: Path) -> Setting:
    """What `Setting.write` wrote."""
    found = json.loads(path.read_text(encoding="utf-8"))
    shape = found["wish"]["shape"]
    found["wish"] = Wish(**{**found["wish"], "shape": None if shape is None else tuple(shape)})
    return Setting(**found)


class Track(Protocol):
    """The module a loss names as its `race`: it lays out models and components for a wish."""

    def prepare(self, wish: Wish, sentences: Sequence[str], target: Path) -> Mapping[str, Any]:
        """`model`, `student`, `losses`, `teachers`, `rivals` of the Setting; folders are written below `target`."""
        ...


class Side(Protocol):
    """The module of a rival: runs its own loop for ever, telling the gate."""

    def run(self, setting: Setting, gate: Any) -> None: ...
