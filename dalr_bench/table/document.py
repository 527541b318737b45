"""A table as plain data: the JSON of the contract, and the texts that templates print. No objects with methods."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from dalr_bench.table.model import Cell, Column, Delta, Row, Table


def as_json(table: Table) -> dict[str, Any]:
    """The document of `table --format json`; means as printed (×100, two decimals), null where there is nothing."""
    return {
        "title": table.title,
        "suite": table.suite,
        "columns": [column.name for column in table.columns],
        "rows": [_row_json(row, group.label, table.columns) for group in table.groups for row in group.rows],
        "baseline": table.baseline,
        "gap": table.gap,
        "protocols": [{"columns": list(names), "protocol": text} for names, text in table.protocols],
        "encoders": table.encoders,
        "notes": [{"mark": mark, "text": text} for mark, text in table.notes],
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
            {"label": group.label, "rows": [_row_texts(row, table.columns, len(pairs) > 1) for row in group.rows]}
            for group in table.groups
        ],
        "protocols": [{"columns": spans(names, table.columns), "text": text} for names, text in table.protocols],
        "encoders": table.encoders,
        "notes": [{"mark": mark, "text": text} for mark, text in table.notes],
        "difference": _difference(table, pairs.pop() if len(pairs) == 1 else None),
    }


def as_lines(table: Table) -> list[list[Any]]:
    """Head and rows of a spreadsheet: mean, std and n (and Δ) of each column apart, as numbers."""
    data = as_json(table)
    fields = ("mean", "std", "n")
    differences = table.baseline is not None or table.gap
    head = ["group", "row", "kind", "n", "of"]
    for name in data["columns"]:
        head += [name, f"{name} std", f"{name} n"]
        head += [f"{name} delta", f"{name} delta std", f"{name} delta n"] if differences else []
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


def _difference(table: Table, pairs: int | None) -> str:
    """What Δ is, in words; empty where none is shown."""
    count = f" (n = {pairs})" if pairs else ""
    if table.gap:
        return f"Δ: difference to the published number{count}, ± the sample standard deviation over seeds."
    if table.baseline is not None:
        return f"Δ: mean difference to {table.baseline}, paired by seed{count}, ± its sample standard deviation."
    return ""


def _row_json(row: Row, group: str, columns: Sequence[Column]) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "group": group,
        "floor": row.floor,
        "n": row.n,
        "of": row.of,
        "note": row.note or None,
        "cells": {column.name: _cell_json(row.cells.get(column.name)) for column in columns},
    }


def _cell_json(cell: Cell | None) -> dict[str, Any] | None:
    if cell is None or cell.mean is None:
        return None
    return {
        "mean": round(cell.mean, 2),
        "std": None if cell.std is None else round(cell.std, 2),
        "n": cell.n or None,
        "of": cell.of or None,
        "best": cell.best,
        "second": cell.second,
        "delta": None if cell.delta is None else _delta_json(cell.delta),
        "note": cell.note or None,
    }


def _delta_json(delta: Delta) -> dict[str, Any]:
    return {"mean": round(delta.mean, 2), "std": None if delta.std is None else round(delta.std, 2), "n": delta.n}


def _row_texts(row: Row, columns: Sequence[Column], state_pairs: bool) -> dict[str, Any]:
    done = "" if row.kind == "reported" else str(row.of) if row.n == row.of else f"{row.n}/{row.of}"
    cells = [_cell_texts(row.cells.get(column.name), row.kind == "reported", state_pairs) for column in columns]
    return {"name": row.name, "kind": row.kind, "floor": row.floor, "n": done, "note": row.note, "cells": cells}


def _cell_texts(cell: Cell | None, reported: bool, state_pairs: bool) -> dict[str, Any]:
    """`79.50 ±0.30 (4/5)` in parts; `mean` is empty where nothing is known."""
    if cell is None or cell.mean is None:
        empty = {"mean": "", "std": "", "count": "", "best": False, "second": False, "delta": None}
        return {**empty, "note": "" if cell is None else cell.note, "expected": not reported}
    return {
        "mean": number(cell.mean),
        "std": "" if cell.std is None else number(cell.std),
        "count": f"{cell.n}/{cell.of}" if cell.n < cell.of else "",
        "best": cell.best,
        "second": cell.second,
        "delta": None if cell.delta is None else _delta_texts(cell.delta, state_pairs),
        "note": cell.note,
        "expected": True,
    }


def _delta_texts(delta: Delta, state_pairs: bool) -> dict[str, str]:
    std = "" if delta.std is None else number(delta.std)
    return {"mean": number(delta.mean, sign=True), "std": std, "count": f"n={delta.n}" if state_pairs else ""}
