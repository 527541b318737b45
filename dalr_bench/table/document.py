"""A table as plain data: the JSON of the contract, and the texts that templates print. No objects with methods."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from dalr_bench.table.model import Cell, Column, Delta, Row, Spread, Table
from dalr_bench.table.stats import spread


def as_json(table: Table) -> dict[str, Any]:
    """The document of `table --format json`; means as printed (×100, two decimals), null where there is nothing."""
    return {
        "title": table.title,
        "suite": table.suite,
        "columns": [column.name for column in table.columns],
        "rows": [_row_json(row, group.label, table) for group in table.groups for row in group.rows],
        "baseline": table.baseline,
        "gap": table.gap,
        "protocols": [{"columns": list(names), "protocol": text} for names, text in table.protocols],
        "encoders": table.encoders,
        "notes": [{"mark": mark, "text": text} for mark, text in table.notes],
        **({} if table.level is None else {"significance": table.level}),
    }


def as_texts(table: Table) -> dict[str, Any]:
    """What a template sees: every number already a text, every name as it is (escaping is the template's)."""
    cells = [cell for group in table.groups for row in group.rows for cell in row.cells.values()]
    pairs = {cell.delta.n for cell in cells if cell.delta}
    return {
        "title": table.title,
        "suite": table.suite,
        "label": "tab:" + "-".join(re.findall("[A-Za-z0-9]+", table.suite)),
        "columns": [{"name": c.name, "label": c.label, "block": c.block, "unit": c.unit} for c in table.columns],
        "blocks": [
            {"name": name, "width": len(list(found))} for name, found in groupby(c.block for c in table.columns)
        ],
        "groups": [
            {"label": group.label, "rows": [_row_texts(row, table, len(pairs) > 1) for row in group.rows]}
            for group in table.groups
        ],
        "protocols": [{"columns": spans(names, table.columns), "text": text} for names, text in table.protocols],
        "encoders": table.encoders,
        "notes": [{"mark": mark, "text": text} for mark, text in table.notes],
        "what": _what(table),
        "marks": _marks(table),
        "difference": _difference(table, pairs.pop() if len(pairs) == 1 else None),
    }


def as_lines(table: Table) -> list[list[Any]]:
    """Head and rows of a spreadsheet: mean, std and n (and Δ) of each column apart, as numbers."""
    data = as_json(table)
    kind = table.spread
    fields = ("mean", kind, "n")
    differences = table.baseline is not None or table.gap
    head = ["group", "row", "kind", "n", "of"]
    for name in data["columns"]:
        head += [name, f"{name} {kind}", f"{name} n"]
        head += [f"{name} delta", f"{name} delta {kind}", f"{name} delta n"] if differences else []
    lines: list[list[Any]] = [[*head, "note"]]
    rows = [row for group in table.groups for row in group.rows]
    for row, found in zip(rows, data["rows"], strict=True):
        line = [found["group"], row.name, "floor" if row.floor else row.kind, row.n, row.of]
        for name in data["columns"]:
            cell = found["cells"][name] or {}
            line += [cell.get(key) for key in fields]
            line += [(cell.get("delta") or {}).get(key) for key in fields] if differences else []
        lines.append([*line, _notes(row, dict(table.notes))])
    return lines


def _notes(row: Row, texts: dict[str, str]) -> str:
    marks = dict.fromkeys([row.note, *(cell.note for cell in row.cells.values())])
    return "; ".join(texts[mark] for mark in marks if mark)


def spans(names: Sequence[str], columns: Sequence[Column]) -> str:
    """`STS12–SICK-R, MR`: neighbours of the table are named by their first and last."""
    order = [column.name for column in columns]
    if len(names) == len(order) > 1:
        return "all columns"
    out = []
    for _, found in groupby(enumerate(order.index(name) for name in names), key=lambda pair: pair[1] - pair[0]):
        run = [order[place] for _, place in found]
        out.append(f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(run))
    return ", ".join(out)


def number(value: float, sign: bool = False) -> str:
    """Two decimals; a minus of nothing is no minus."""
    return f"{round(value, 2) + 0.0:{'+' if sign else ''}.2f}"


_SPREADS = {
    "std": "sample standard deviation",
    "sem": "standard error",
    "ci": "half of a 95 % t-interval",
}


def _what(table: Table) -> str:
    """What a number is."""
    value = "Differences of scores ×100, paired by seed: mean" if table.signed else "Scores ×100, mean"
    rows = f"n {'pairs' if table.signed else 'runs'} a row"
    costs = "; costs in the unit of their head, ms and a term's MB a training step" if _costs(table) else ""
    return f"{value} ± {_SPREADS[table.spread]} over seeds; {rows}{costs}"


def _costs(table: Table) -> bool:
    """Whether any cost is that of a step."""
    return any(column.unit == "cost" and column.key[0] for column in table.columns)


def _marks(table: Table) -> str:
    """What bold and underlined mean; empty where nothing is marked."""
    if table.signed:
        return ""
    if table.level is None:
        return "best in bold, second underlined, of the group's measured rows"
    return (
        "in bold the best of the group's measured rows and those not shown to differ from it "
        f"(paired test, p ≥ {table.level:g} after Holm's correction over the rows), the next underlined"
    )


def _difference(table: Table, pairs: int | None) -> str:
    """What Δ is, in words; empty where none is shown."""
    count = f" (n = {pairs})" if pairs else ""
    if table.gap:
        return f"Δ: difference to the published number{count}, ± the {_SPREADS[table.spread]} over seeds."
    if table.baseline is not None:
        return f"Δ: mean difference to {table.baseline}, paired by seed{count}, ± its {_SPREADS[table.spread]}."
    return ""


def _row_json(row: Row, group: str, table: Table) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "group": group,
        "floor": row.floor,
        "n": row.n,
        "of": row.of,
        "note": row.note or None,
        "cells": {column.name: _cell_json(row.cells.get(column.name), table.spread) for column in table.columns},
    }


def _cell_json(cell: Cell | None, kind: Spread) -> dict[str, Any] | None:
    if cell is None or cell.mean is None:
        return None
    return {
        "mean": round(cell.mean, 2),
        **_spread_json(cell.std, cell.n, kind),
        "n": cell.n or None,
        "of": cell.of or None,
        "best": cell.best,
        "second": cell.second,
        "delta": None if cell.delta is None else _delta_json(cell.delta, kind),
        "note": cell.note or None,
    }


def _delta_json(delta: Delta, kind: Spread) -> dict[str, Any]:
    return {"mean": round(delta.mean, 2), **_spread_json(delta.std, delta.n, kind), "n": delta.n}


def _spread_json(deviation: float | None, n: int, kind: Spread) -> dict[str, float | None]:
    """`std`, and what was asked for instead of it under its own name."""
    found = {each: spread(deviation, n, each) for each in dict.fromkeys(("std", kind))}
    return {each: None if value is None else round(value, 2) for each, value in found.items()}


def _row_texts(row: Row, table: Table, state_pairs: bool) -> dict[str, Any]:
    done = "" if row.kind == "reported" else str(row.of) if row.n == row.of else f"{row.n}/{row.of}"
    reported = row.kind == "reported"
    cells = [_cell_texts(row.cells.get(column.name), table, reported, state_pairs) for column in table.columns]
    return {"name": row.name, "kind": row.kind, "floor": row.floor, "n": done, "note": row.note, "cells": cells}


def _cell_texts(cell: Cell | None, table: Table, reported: bool, state_pairs: bool) -> dict[str, Any]:
    """`79.50 ±0.30 (4/5)` in parts; `mean` is empty where nothing is known."""
    if cell is None or cell.mean is None:
        empty = {"mean": "", "std": "", "count": "", "best": False, "second": False, "delta": None}
        return {**empty, "note": "" if cell is None else cell.note, "expected": not reported}
    return {
        "mean": number(cell.mean, sign=table.signed),
        "std": _spread_text(cell.std, cell.n, table.spread),
        "count": f"{cell.n}/{cell.of}" if cell.n < cell.of else "",
        "best": cell.best,
        "second": cell.second,
        "delta": None if cell.delta is None else _delta_texts(cell.delta, table.spread, state_pairs),
        "note": cell.note,
        "expected": True,
    }


def _spread_text(deviation: float | None, n: int, kind: Spread) -> str:
    found = spread(deviation, n, kind)
    return "" if found is None else number(found)


def _delta_texts(delta: Delta, kind: Spread, state_pairs: bool) -> dict[str, str]:
    std = _spread_text(delta.std, delta.n, kind)
    return {"mean": number(delta.mean, sign=True), "std": std, "count": f"n={delta.n}" if state_pairs else ""}
