"""What a table is made of, and what it is made from. Plain values; no file, no format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from dalr_bench.types import Score

Kind = Literal["measured", "reported"]
Spread = Literal["std", "sem", "ci"]


# ------------------------------------------------------------------ what comes in (records have these attributes)
class Measured(Protocol):
    """A run's outcome, as a table needs it."""

    @property
    def status(self) -> str: ...
    @property
    def error(self) -> str | None: ...
    @property
    def scores(self) -> Sequence[Score]: ...
    @property
    def seconds(self) -> Mapping[str, float]: ...
    @property
    def spent(self) -> Mapping[str, Mapping[str, float]]: ...


class Place(Protocol):
    """One cell of the grid and the run it is."""

    @property
    def variant(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def run_id(self) -> str: ...
    @property
    def axes(self) -> Mapping[str, str]: ...


class Layout(Protocol):
    """A suite's order of things."""

    @property
    def suite(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def variants(self) -> Sequence[str]: ...
    @property
    def support(self) -> Sequence[str]: ...
    @property
    def floors(self) -> Sequence[str]: ...
    @property
    def axes(self) -> Mapping[str, Sequence[str]]: ...
    @property
    def cells(self) -> Sequence[Place]: ...
    @property
    def expect(self) -> Mapping[str, Mapping[str, Any]]: ...
    @property
    def contributions(self) -> Sequence[Mapping[str, str]]: ...


@dataclass(frozen=True)
class Reported:
    """A row somebody printed: values by `task.metric`, ×100, and where they stand."""

    name: str
    source: str
    values: Mapping[str, float]
    stds: Mapping[str, float] = field(default_factory=dict)
    protocols: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Significance:
    """`p` of the difference between pairs of runs in a column (None: it cannot be told), and the `level` below which,
    corrected by Holm over the group's rows, a row is held to differ from the best."""

    level: float
    p: Callable[[Sequence[tuple[str, str]], Column], float | None]


@dataclass(frozen=True)
class Request:
    """What a reader asked for. `tasks` select columns (names, `task.metric`, globs); `baseline` is a variant for Δ,
    `gap` asks for Δ to the published numbers instead; `spread` is what follows ±."""

    tasks: Sequence[str] = ()
    baseline: str | None = None
    gap: bool = False
    mix_protocols: bool = False
    cost: bool = False
    reported: Sequence[Reported] = ()
    spread: Spread = "std"
    significance: Significance | None = None


# ------------------------------------------------------------------ what goes out
@dataclass(frozen=True, slots=True)
class Column:
    """`name` is unique in the table, `label` is printed; `key` is (task, metric, aggregation, split) of its scores, or
    (part, quantity, None, "") of a cost.
    """

    name: str
    label: str
    block: str
    key: tuple[str, str, str | None, str]
    lower_is_better: bool = False
    unit: Literal["x100", "cost"] = "x100"


@dataclass(frozen=True, slots=True)
class Delta:
    """Mean of the differences over the seeds both have (or to one published number); `std` is None for a single one."""

    mean: float
    std: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Cell:
    """`mean` and `std` ×100 (None: nothing to show, or one seed); `n` of `of` runs hold it; `note` marks a footnote."""

    mean: float | None
    std: float | None
    n: int
    of: int
    best: bool = False
    second: bool = False
    delta: Delta | None = None
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the table: `n` of `of` runs are done; reported rows have neither."""

    name: str
    kind: Kind
    cells: Mapping[str, Cell]
    n: int = 0
    of: int = 0
    floor: bool = False
    note: str = ""


@dataclass(frozen=True)
class Group:
    """Rows that share their axes; best and second are chosen among them."""

    label: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Table:
    """Everything a format prints. `protocols` are (column names, how they were scored); `notes` are (mark, text);
    `encoders` are the facts all encoders share; `level`: bold is what does not differ from the best at it; `signed`
    tables hold differences."""

    title: str
    suite: str
    columns: Sequence[Column]
    groups: Sequence[Group]
    protocols: Sequence[tuple[Sequence[str], str]]
    notes: Sequence[tuple[str, str]]
    baseline: str | None = None
    gap: bool = False
    encoders: str = ""
    spread: Spread = "std"
    level: float | None = None
    signed: bool = False
