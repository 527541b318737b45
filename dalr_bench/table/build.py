"""Records in, cells out. Pure: the same records and request give the same table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dalr_bench.errors import SuiteError, nearest
from dalr_bench.table import protocol
from dalr_bench.table.columns import Order, choose, main_columns, read_order
from dalr_bench.table.costs import cost_columns
from dalr_bench.table.found import Found, Line, baseline_of, find, group_label
from dalr_bench.table.model import (
    Cell,
    Column,
    Delta,
    Group,
    Layout,
    Measured,
    Reported,
    Request,
    Row,
    Significance,
    Table,
)
from dalr_bench.table.notes import Notes, clean, why_missing
from dalr_bench.table.reported import from_expect
from dalr_bench.table.significance import not_shown_worse
from dalr_bench.table.stats import mean, rank, std, top

_REPORTED = "reported"


def build(layout: Layout, records: Mapping[str, Measured], request: Request) -> Table:
    """The table of a suite. Raises SuiteError: unknown task or baseline, or protocols mixed in one column."""
    order = read_order()
    lines, found = find(layout, records)
    _check_difference(request, lines)
    keys = list(dict.fromkeys(key for scores in found.scores.values() for key in scores))
    columns = choose(keys, request.tasks, order)
    public = main_columns(columns, keys, order)
    reported = [*from_expect(layout.expect), *request.reported]
    ways = protocols_of(lines, columns, found, _claims(reported, public, order))
    protocol.check(columns, ways, request.mix_protocols)
    captions = protocol.captions(columns, ways)
    columns = [*columns, *cost_columns(_done(lines, found))] if request.cost else columns
    notes = Notes()
    published = _published(reported, public, order) if request.gap else {}
    context = _Context(layout, lines, request.baseline, columns, found, notes, published, request.significance)
    groups = [_group(axes, context) for axes in dict.fromkeys(line.axes for line in lines)]
    rows = [row for each in reported if (row := _reported(each, public, order, notes)).cells]
    groups += [Group(_REPORTED, rows)] if rows else []
    return Table(
        title=clean(layout.title or layout.suite),
        suite=clean(layout.suite),
        columns=columns,
        groups=groups,
        protocols=captions,
        notes=notes.texts,
        baseline=None if request.baseline is None else clean(request.baseline),
        gap=request.gap,
        spread=request.spread,
        level=None if request.significance is None else request.significance.level,
        encoders=protocol.shared_facts([score.protocol for run in found.scores.values() for score in run.values()]),
    )


def _check_difference(request: Request, lines: Sequence[Line]) -> None:
    known = [line.variant for line in lines]
    if request.baseline is not None and request.gap:
        raise SuiteError("--baseline and --gap both show a difference in the same place: give one of them")
    if request.baseline is not None and request.baseline not in known:
        raise SuiteError(f"--baseline {request.baseline}: no row is called that. {nearest(request.baseline, known)}")


def _done(lines: Sequence[Line], found: Found) -> list[Measured]:
    return [found.records[run] for line in lines for run in line.distinct if run in found.scores]


# ------------------------------------------------------------------ rows
def protocols_of(
    lines: Sequence[Line], columns: Sequence[Column], found: Found, claims: protocol.Found | None = None
) -> protocol.Found:
    """How each column was scored, in which rows; `claims` are what published rows say of themselves."""
    out: dict[str, dict[str, list[str]]] = {column.name: {} for column in columns}
    for column in columns:
        for line in lines:
            for told in dict.fromkeys(score.protocol for score in found.column(line, column)):
                rows = out[column.name].setdefault(protocol.scoring(told), [])
                rows += [] if line.variant in rows else [line.variant]
        for text, names in (claims or {}).get(column.name, {}).items():
            out[column.name].setdefault(text, []).extend(names)
    return out


def _claims(reported: Sequence[Reported], columns: Sequence[Column], order: Order) -> protocol.Found:
    """Protocols that published rows state. One that states none is believed to be what its source says."""
    out: dict[str, dict[str, list[str]]] = {column.name: {} for column in columns}
    for row in reported:
        for column, reference in _matches(row, columns, order):
            if reference in row.protocols:
                out[column.name].setdefault(protocol.scoring(row.protocols[reference]), []).append(row.name)
    return out


# ------------------------------------------------------------------ cells
@dataclass(frozen=True)
class _Context:
    layout: Layout
    lines: Sequence[Line]
    baseline: str | None
    columns: Sequence[Column]
    found: Found
    notes: Notes
    published: Mapping[tuple[str, str], float]
    significance: Significance | None = None


def _group(axes: tuple[tuple[str, str], ...], context: _Context) -> Group:
    rows = [_row(line, context) for line in context.lines if line.axes == axes]
    for column in context.columns:
        printed = [None if (value := row.cells[column.name].mean) is None else round(value, 2) for row in rows]
        best, second = rank(printed, column.lower_is_better)
        if context.significance is not None and best:
            lines = [line for line in context.lines if line.axes == axes]
            best = not_shown_worse(lines, min(best), column, context.found, context.significance)
            second = top([None if i in best else value for i, value in enumerate(printed)], column.lower_is_better)
        for i in best | second:
            cell = replace(rows[i].cells[column.name], best=i in best, second=i in second)
            rows[i] = replace(rows[i], cells={**rows[i].cells, column.name: cell})
    return Group(group_label(dict(axes)), rows)


def _row(line: Line, context: _Context) -> Row:
    found, notes = context.found, context.notes
    baseline = baseline_of(line, context.lines, context.baseline)
    cells = {column.name: _cell(line, column, found, notes) for column in context.columns}
    if baseline is not None:
        cells = {c.name: replace(cells[c.name], delta=_delta(line, baseline, c, found)) for c in context.columns}
    for name, cell in cells.items():
        theirs = context.published.get((line.variant, name))
        if theirs is not None and cell.mean is not None:
            cells[name] = replace(cell, delta=Delta(cell.mean - theirs, cell.std, cell.n))
    done = sum(run in found.scores for run in line.distinct)
    # A row without any column still has to say why it is empty.
    note = (
        "" if done == len(line.distinct) or cells else context.notes.mark(why_missing(line.distinct, found.records, ""))
    )
    return Row(
        clean(line.variant), "measured", cells, done, len(line.distinct), line.variant in context.layout.floors, note
    )


def _cell(line: Line, column: Column, found: Found, notes: Notes) -> Cell:
    values = {run: value for run in line.distinct if (value := found.value(run, column)) is not None}
    without = {run: seed for run, seed in line.distinct.items() if run not in values}
    if column.unit == "cost":  # a run that has no such part, or nobody counted: no number, and nothing to explain
        without = {run: seed for run, seed in without.items() if run not in found.scores}
    note = notes.mark(why_missing(without, found.records, column.name)) if without else ""
    numbers = list(values.values())
    return Cell(mean(numbers) if numbers else None, std(numbers), len(numbers), len(line.distinct), note=note)


def _delta(line: Line, baseline: Line, column: Column, found: Found) -> Delta | None:
    differences = found.differences(line, baseline, column)
    return Delta(mean(differences), std(differences), len(differences)) if differences else None


# ------------------------------------------------------------------ published rows
def _matches(row: Reported, columns: Sequence[Column], order: Order) -> list[tuple[Column, str]]:
    named = {order.name(reference): reference for reference in row.values}
    keys = [(column, (column.key[0].casefold(), column.key[1].casefold())) for column in columns]
    return [(column, named[key]) for column, key in keys if key in named]


def _published(reported: Sequence[Reported], columns: Sequence[Column], order: Order) -> dict[tuple[str, str], float]:
    """(row, column) → the number published for it; where several were, the first."""
    out: dict[tuple[str, str], float] = {}
    for row in reported:
        for column, reference in _matches(row, columns, order):
            out.setdefault((row.name, column.name), row.values[reference])
    return out


def _reported(row: Reported, columns: Sequence[Column], order: Order, notes: Notes) -> Row:
    cells = {c.name: Cell(row.values[ref], row.stds.get(ref), 0, 0) for c, ref in _matches(row, columns, order)}
    return Row(clean(row.name), "reported", cells, note=notes.mark(f"reported: {row.source}") if cells else "")
