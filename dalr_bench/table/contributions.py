"""What each component adds, as a table of differences: a row a component, left out of the whole and put in alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dalr_bench.errors import SuiteError
from dalr_bench.table import protocol
from dalr_bench.table.build import protocols_of
from dalr_bench.table.columns import choose, read_order
from dalr_bench.table.found import Found, Line, find
from dalr_bench.table.model import Cell, Column, Group, Layout, Measured, Request, Row, Table
from dalr_bench.table.notes import Notes, clean
from dalr_bench.table.stats import mean, std

_KINDS = {"leave-one-out": "left out of the whole", "add-one-in": "put in alone"}


@dataclass(frozen=True)
class _Pair:
    """A row: the runs with a component against those without, at one point of the grid."""

    component: str
    kind: str
    ours: Line
    theirs: Line


def contributions(layout: Layout, records: Mapping[str, Measured], request: Request) -> Table:
    """Differences with − without of every pair of variants that the suite says differ by one component, paired by seed.

    Raises SuiteError where the suite has no such pair, or where a column mixes protocols.
    """
    if not layout.contributions:
        raise SuiteError(
            "suite.json names no two variants that differ by one component: list them in `ablate` (whole: [part, "
            "part]) or `generate` them; results of an older version learn it from `dalr-bench run`"
        )
    lines, found = find(layout, records)
    pairs = _pairs(layout, lines)
    shown = list(dict.fromkeys(line for pair in pairs for line in (pair.ours.variant, pair.theirs.variant)))
    lines = [line for line in lines if line.variant in shown]
    keys = (key for line in lines for run in line.distinct for key in found.scores.get(run, {}))
    columns = choose(keys, request.tasks, read_order())
    ways = protocols_of(lines, columns, found)
    protocol.check(columns, ways, request.mix_protocols)
    notes = Notes()
    places = list(dict.fromkeys((pair.ours.axes, pair.kind) for pair in pairs))
    return Table(
        title=clean(f"{layout.title or layout.suite}: contribution of each component"),
        suite=clean(f"{layout.suite} contributions"),
        columns=columns,
        groups=[_group(place, pairs, columns, found, notes) for place in places],
        protocols=protocol.captions(columns, ways),
        notes=notes.texts,
        spread=request.spread,
        signed=True,
    )


def _pairs(layout: Layout, lines: Sequence[Line]) -> list[_Pair]:
    """At every point of the grid where both variants stand."""
    at = {(line.variant, line.axes): line for line in lines}
    points = list(dict.fromkeys(line.axes for line in lines))
    return [
        _Pair(each["component"], each["kind"], at[each["with"], point], at[each["without"], point])
        for point in points
        for each in layout.contributions
        if (each["with"], point) in at and (each["without"], point) in at
    ]


def _group(
    place: tuple[tuple[tuple[str, str], ...], str],
    pairs: Sequence[_Pair],
    columns: Sequence[Column],
    found: Found,
    notes: Notes,
) -> Group:
    axes, kind = place
    where = [f"{axis}: {label}" for axis, label in axes]
    rows = [_row(pair, columns, found, notes) for pair in pairs if (pair.ours.axes, pair.kind) == place]
    return Group(clean(", ".join([*where, _KINDS.get(kind, kind)])), rows)


def _row(pair: _Pair, columns: Sequence[Column], found: Found, notes: Notes) -> Row:
    wanted = len(dict.fromkeys(_shared(pair)))
    note = notes.mark(f"{pair.ours.variant} − {pair.theirs.variant}")
    cells = {column.name: _cell(pair, column, found, wanted, notes) for column in columns}
    done = sum(all(run in found.scores for run in runs) for runs in dict.fromkeys(_shared(pair)))
    return Row(clean(pair.component), "measured", cells, done, wanted, note=note)


def _shared(pair: _Pair) -> list[tuple[str, str]]:
    return [(run, pair.theirs.runs[seed]) for seed, run in pair.ours.runs.items() if seed in pair.theirs.runs]


def _cell(pair: _Pair, column: Column, found: Found, wanted: int, notes: Notes) -> Cell:
    differences = found.differences(pair.ours, pair.theirs, column)
    if not differences:
        return Cell(None, None, 0, wanted, note=notes.mark("no seed is done with and without the component"))
    return Cell(mean(differences), std(differences), len(differences), wanted)
