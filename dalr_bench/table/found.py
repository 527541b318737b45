"""The rows of a table before they have cells: which runs each is, and what those runs hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dalr_bench.table.columns import Key, key_of
from dalr_bench.table.costs import cost
from dalr_bench.table.model import Column, Layout, Measured
from dalr_bench.table.notes import clean
from dalr_bench.types import Score


@dataclass(frozen=True)
class Line:
    """One row before it has cells: the run of each seed. Seeds that share a run count once."""

    variant: str
    axes: tuple[tuple[str, str], ...]
    runs: Mapping[int, str]

    @property
    def name(self) -> str:
        """`DALR@teacher=image-text`: the variant and where it stands."""
        return self.variant + ("@" + ",".join("=".join(pair) for pair in self.axes) if self.axes else "")

    @property
    def distinct(self) -> dict[str, int]:
        """Run id → the first seed that names it."""
        out: dict[str, int] = {}
        for seed, run in self.runs.items():
            out.setdefault(run, seed)
        return out


@dataclass(frozen=True)
class Found:
    """What the shown runs hold: records by run id, and scores by run id and key.

    `more` are scores whose key another one of their run has too (an evaluator that is asked twice, in two ways).
    """

    records: Mapping[str, Measured]
    scores: Mapping[str, Mapping[Key, Score]]
    more: Mapping[str, Sequence[Score]] = field(default_factory=dict)

    def pairs(self, ours: Line, theirs: Line, column: Column) -> list[tuple[str, str]]:
        """Runs of one seed that both have a number in the column, each pair once."""
        shared = dict.fromkeys((run, theirs.runs[seed]) for seed, run in ours.runs.items() if seed in theirs.runs)
        return [pair for pair in shared if all(self.value(run, column) is not None for run in pair)]

    def differences(self, ours: Line, theirs: Line, column: Column) -> list[float]:
        """Of those pairs, as printed."""
        numbers = [[self.value(run, column) or 0.0 for run in pair] for pair in self.pairs(ours, theirs, column)]
        return [mine - other for mine, other in numbers]

    def measured(self, line: Line, column: Column) -> bool:
        """Whether any run of the row has a number in the column."""
        return any(self.value(run, column) is not None for run in line.distinct)

    def column(self, line: Line, column: Column) -> list[Score]:
        """All scores of one row that belong into one column: of a run those beside the one that is shown, too."""
        first = [scores[column.key] for run in line.distinct if column.key in (scores := self.scores.get(run, {}))]
        return first + [each for run in line.distinct for each in self.more.get(run, ()) if key_of(each) == column.key]

    def value(self, run: str, column: Column) -> float | None:
        """The number of one run in one column, as printed (×100, or in the unit of a cost)."""
        if run not in self.scores:
            return None
        if column.unit == "cost":
            return cost(self.records[run], column)
        score = self.scores[run].get(column.key)
        return None if score is None else 100 * score.value


def find(layout: Layout, records: Mapping[str, Measured]) -> tuple[list[Line], Found]:
    """The rows of a suite in its order, and what their runs hold."""
    lines = _lines(layout)
    return lines, _found(lines, records)


def group_label(axes: Mapping[str, str]) -> str:
    """What the group of cells at this point of the grid is called."""
    return clean(", ".join(f"{axis}: {label}" for axis, label in axes.items()))


def baseline_of(line: Line, lines: Sequence[Line], variant: str | None) -> Line | None:
    """The row of `variant` at the same point of the grid, or the one outside the grid; None for that row itself."""
    if line.variant == variant:
        return None
    same = [other for other in lines if other.variant == variant and other.axes in (line.axes, ())]
    return max(same, key=lambda other: len(other.axes), default=None)


def _lines(layout: Layout) -> list[Line]:
    runs: dict[tuple[tuple[tuple[str, str], ...], str], dict[int, str]] = {}
    for place in layout.cells:
        if place.variant not in layout.support:
            runs.setdefault((tuple(place.axes.items()), place.variant), {})[place.seed] = place.run_id
    lines = [Line(variant, axes, dict(sorted(seeds.items()))) for (axes, variant), seeds in runs.items()]
    rows = {variant: i for i, variant in enumerate(layout.variants)}
    labels = {(axis, label): i for axis, names in layout.axes.items() for i, label in enumerate(names)}

    def position(line: Line) -> tuple[Any, ...]:
        point = [labels.get(pair, len(labels)) for pair in line.axes]
        return point, line.axes, rows.get(line.variant, len(rows))

    return sorted(lines, key=position)


def _found(lines: Sequence[Line], records: Mapping[str, Measured]) -> Found:
    runs = [run for line in lines for run in line.distinct]
    shown = {run: records[run] for run in runs if run in records}
    scores: dict[str, dict[Key, Score]] = {}
    more: dict[str, list[Score]] = {}
    for run, record in shown.items():
        if record.status == "done":
            scores[run] = {}
            for score in record.scores:
                if scores[run].setdefault(key_of(score), score) is not score:
                    more.setdefault(run, []).append(score)
    return Found(shown, scores, more)
