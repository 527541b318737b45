"""A figure: one chart with its words. The page embeds it, `--figures` draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dalr_bench.report.model import Dataset


@dataclass(frozen=True)
class Figure:
    """`spec` is Vega-Lite whose data is named; `data` holds those names. `alt` says what a reader would see.

    `shown` is the data set a reader may ask for as a table.
    """

    name: str
    title: str
    caption: str
    alt: str
    spec: Mapping[str, Any]
    data: Mapping[str, Dataset]
    shown: str

    def standalone(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The specification with its data and a theme, for whoever draws it without a page."""
        inline = {name: found.records() for name, found in self.data.items()}
        return {**self.spec, "datasets": inline, "config": config}


def plain(chart: Any, alt_text: str) -> dict[str, Any]:
    """The chart as a specification without Altair's own theme, its description being what screen readers say."""
    spec: dict[str, Any] = chart.to_dict()
    spec.pop("config", None)
    return {**spec, "description": alt_text}


def listed(names: Sequence[str], most: int = 12) -> str:
    """`a, b, c and 4 more`: names for a sentence."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
