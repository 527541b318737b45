"""Names and error texts are strangers' words: what each format must do so that they stay words."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Sequence
from typing import Any

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"{'}",
    "`": r"\textasciigrave{}",
    # A line that begins with these is read as an argument of the line break before it.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",
    "Δ": r"\ensuremath{\Delta}",
    "→": r"\ensuremath{\to}",
    "≥": r"\ensuremath{\geq}",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "‘": "`",
    "’": "{'}",
    "“": "``",
    "”": "{'}{'}",
}
_MARKDOWN = frozenset("\\`*_{}[]#|~!$")
_FORMULA_STARTS = "=@\t\r"


def latex(value: Any) -> str:
    """Text that pdflatex sets as it is: no command, no math, no letter its fonts lack."""
    return "".join(_LATEX.get(c, c) if c in _LATEX or c.isascii() else _plain(c) for c in _one_line(value))


def markdown(value: Any) -> str:
    """Text of a table cell: no link, no markup, no HTML, no new column."""
    escaped = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    return "".join(escaped.get(c, f"\\{c}" if c in _MARKDOWN else c) for c in _one_line(value))


def typst(value: Any) -> str:
    """A Typst string literal, quotes included: strings are never read as markup."""
    return json.dumps(str(value), ensure_ascii=False)


def csv_line(values: Sequence[Any]) -> str:
    """One line of CSV. What a spreadsheet would run as a formula gets an apostrophe before it; `+CML` stays a name."""
    buffer = io.StringIO()
    # The writer quotes the characters of its own line end: both are named so that neither can begin a line.
    csv.writer(buffer, lineterminator="\r\n").writerow([_no_formula(value) for value in values])
    return buffer.getvalue().removesuffix("\r\n")


def to_json(value: Any) -> str:
    """One JSON document, keys in their order."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def _no_formula(value: Any) -> Any:
    if not isinstance(value, str) or not value:
        return value
    starts = value[0] in _FORMULA_STARTS or (value[0] in "+-" and any(mark in value for mark in "|!(="))
    return f"'{value}" if starts else value


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())


def _plain(character: str) -> str:
    # Accented Latin letters are set by every TeX; of others the nearest ASCII, or their number.
    if unicodedata.name(character, "").startswith("LATIN ") and ord(character) < 0x180:
        return character
    ascii_ = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return "".join(_LATEX.get(c, c) for c in ascii_) or f"U+{ord(character):04X}"
