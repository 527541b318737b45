"""What a reader chooses at a chart: menus are Vega parameters; a picture is the same chart at its defaults.

Names of strangers stand in data and in options, never in an expression: an expression is code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt


def menu(name: str, label: str, options: Sequence[str], value: str | None = None) -> alt.Parameter:
    """A drop-down with a label; a plain value where there is nothing to choose."""
    chosen = value if value is not None else next(iter(options), "")
    if len(options) < 2:
        return alt.param(name=name, value=chosen)
    return alt.param(name=name, value=chosen, bind=alt.binding_select(options=list(options), name=f"{label} "))


def number(name: str, label: str, value: float) -> alt.Parameter:
    """A field for a number."""
    return alt.param(name=name, value=value, bind=alt.binding(input="number", name=f"{label} "))


def title(*expressions: str) -> alt.TitleParams:
    """A title that says what is chosen, joined of Vega expressions: a picture must say it without the menus."""
    joined = " + ".join(expressions)
    return alt.TitleParams(text=alt.ExprRef(expr=joined))


def in_group(several: bool) -> str:
    """The expression that names the chosen group in a title; nothing where there is one group."""
    return "(group == '' ? '' : '  (' + group + ')')" if several else "''"


def named(name: str) -> alt.NamedData:
    """Data that the page or the picture writer puts under this name."""
    return alt.NamedData(name=name)


def rows(values: Sequence[str], size: int, inner: int = 1) -> int:
    """The height of a chart with a line a value, `inner` marks in each."""
    return max(40, len(values) * (size if inner < 2 else inner * 13 + 10))


def dots(groups: Sequence[str]) -> dict[str, Any]:
    """Channels that tell groups apart: colour, shape and a place of their own. None where there is one group."""
    if len(groups) < 2:
        return {}
    order = list(groups)
    legend = alt.Legend(title=None, orient="bottom", columns=4)
    scale = alt.Scale(domain=order)  # stated, so that colour and shape share one legend
    return {
        "yOffset": alt.YOffset("group:N", sort=order),
        "color": alt.Color("group:N", sort=order, scale=scale, legend=legend),
        "shape": alt.Shape("group:N", sort=order, scale=scale, legend=legend),
    }
