"""A table for a terminal, by rich. Wider than the terminal, it continues below; elsewhere it is one plain table."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any, TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from dalr_bench.table.document import as_texts
from dalr_bench.table.model import Table

_PLAIN_WIDTH = 10_000
_GAP = 2


def styles(stream: TextIO) -> bool:
    """Whether bold and underline are shown where this goes: on a terminal that does not call itself dumb."""
    return stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def terminal(table: Table, width: int | None = None, styled: bool = False) -> str:
    """Text for a terminal `width` columns wide (None: as wide as the table). `styled` uses bold, underline and dim;
    without it `*` marks the best and `'` the second."""
    texts = as_texts(table)
    blocks = _blocks(texts, styled, width or _PLAIN_WIDTH)
    console = Console(
        file=io.StringIO(),
        # Where even one column does not fit, the terminal may wrap it: nothing is cut off.
        width=max(width or _PLAIN_WIDTH, *(used for _, used in blocks)),
        force_terminal=styled,
        color_system="standard" if styled else None,
        legacy_windows=False,
        _environ={},
    )
    console.print(Text(texts["title"], style="bold"))
    for columns, _ in blocks:
        console.print(_grid(texts, columns, styled))
    for line in _captions(texts, styled):
        console.print(Text(line, style="dim"))
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def _blocks(texts: dict[str, Any], styled: bool, limit: int) -> list[tuple[list[int], int]]:
    """Column numbers and width of each table: as many columns as fit beside the rows' names."""
    lines = [row for group in texts["groups"] for row in group["rows"]]
    labels = [_name(row) for row in lines] + [group["label"] for group in texts["groups"]]
    start = max(map(cell_len, labels), default=0) + max([len(row["n"]) for row in lines] + [1]) + 2 * _GAP
    blocks: list[tuple[list[int], int]] = [([], start)]
    for i, column in enumerate(texts["columns"]):
        wide = max([cell_len(column["label"])] + [_cell(row["cells"][i], styled).cell_len for row in lines]) + _GAP
        block, used = blocks[-1]
        if block and used + wide > limit:
            blocks.append(([i], start + wide))
        else:
            blocks[-1] = ([*block, i], used + wide)
    return blocks


def _grid(texts: dict[str, Any], block: Sequence[int], styled: bool) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, _GAP, 0, 0))
    grid.add_column(Text(""), no_wrap=True)
    grid.add_column(Text("n"), justify="right", no_wrap=True)
    for i in block:
        grid.add_column(Text(texts["columns"][i]["label"]), justify="right", no_wrap=True)
    for position, group in enumerate(texts["groups"]):
        if group["label"]:
            if position:
                grid.add_section()
            grid.add_row(Text(group["label"], style="italic"))
        for row in group["rows"]:
            cells = [_cell(row["cells"][i], styled) for i in block]
            grid.add_row(Text(_name(row)), Text(row["n"]), *cells, style="dim" if row["kind"] == "reported" else "")
    return grid


def _name(row: dict[str, Any]) -> str:
    marks = [mark for mark in (row["note"], "floor" if row["floor"] else "") if mark]
    return f"{row['name']} [{', '.join(marks)}]" if marks else str(row["name"])


def _cell(cell: dict[str, Any], styled: bool) -> Text:
    note = f" [{cell['note']}]" if cell["note"] else ""
    if not cell["mean"]:
        return Text(f"–{note}" if cell["expected"] else "")
    mark = "" if styled else "*" if cell["best"] else "'" if cell["second"] else ""
    text = Text(cell["mean"] + mark, style="bold" if cell["best"] else "underline" if cell["second"] else "")
    tail = f" ±{cell['std']}" if cell["std"] else ""
    tail += f" ({cell['count']})" if cell["count"] else ""
    if cell["delta"]:
        delta = cell["delta"]
        tail += f" Δ{delta['mean']}" + (f" ±{delta['std']}" if delta["std"] else "")
        tail += f" ({delta['count']})" if delta["count"] else ""
    return text.append(tail + note, style="not bold not underline")


def _captions(texts: dict[str, Any], styled: bool) -> list[str]:
    lines = [f"{texts['what']}{'; ' if texts['marks'] else ''}{texts['marks']}."]
    if not styled:
        lines[0] = lines[0].replace("in bold", "with *").replace("underlined", "with '")
    lines += [texts["difference"]] if texts["difference"] else []
    lines += [f"Protocol of {each['columns']}: {each['text']}." for each in texts["protocols"]]
    lines += [f"All encoders: {texts['encoders']}."] if texts["encoders"] else []
    return lines + [f"[{each['mark']}] {each['text']}" for each in texts["notes"]]
