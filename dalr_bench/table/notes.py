"""Footnotes: why a cell has nothing, or less than it should, and where a published row comes from."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from string import ascii_lowercase

from dalr_bench.table.model import Measured

_LONGEST = 160


class Notes:
    """Marks a, b, c, ... in the order of first use; equal texts share a mark."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}

    def mark(self, text: str) -> str:
        """The mark of this text."""
        return self._marks.setdefault(clean(text), _letters(len(self._marks)))

    @property
    def texts(self) -> list[tuple[str, str]]:
        """(mark, text) in order."""
        return [(mark, text) for text, mark in self._marks.items()]


def why_missing(seeds: Mapping[str, int], records: Mapping[str, Measured], column: str) -> str:
    """`failed: the loss is NaN (seed 1); not run (seeds 2, 3)` for the runs (id → seed) that have no value."""
    reasons: dict[str, list[str]] = {}
    for run, seed in seeds.items():
        reasons.setdefault(_reason(records.get(run), column), []).append(str(seed))
    return "; ".join(f"{why} (seed{'s' * (len(which) > 1)} {', '.join(which)})" for why, which in reasons.items())


def clean(text: str) -> str:
    """One line without control, formatting or direction characters: what a name can do to a terminal or a page."""
    plain = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join(plain.split())


def _reason(record: Measured | None, column: str) -> str:
    if record is None:
        return "not run"
    if record.status == "done":
        return f"no score for {column}"
    text = clean(record.error or "no reason was recorded")
    return f"{record.status}: {text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}"


def _letters(number: int) -> str:
    head, last = divmod(number, 26)
    return (_letters(head - 1) if head else "") + ascii_lowercase[last]
