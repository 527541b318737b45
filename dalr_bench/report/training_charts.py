"""Charts of training: every term of the loss, the dev score, and how the terms' gradients agree."""

from __future__ import annotations

from typing import Any

import altair as alt

from dalr_bench.report.figures import Figure, listed, plain
from dalr_bench.report.model import Report
from dalr_bench.report.parameters import in_group, menu, named, number, title

_OF_GROUP = "indexof(datum.groups, group) >= 0"
_EVERY = "every variant"
_OF_VARIANT = f"variant == '{_EVERY}' || datum.variant == variant"


def training(report: Report) -> Figure | None:
    """One line a seed. Below it the whole run: a brush there chooses the steps that are drawn large."""
    data = {"curves": report.data["curves"], "runs": report.data["runs"]}
    terms = data["curves"].distinct("term")
    if not terms:
        return None
    variants = _trained(report)
    lines = _lines(variants).transform_filter("datum.term == term")
    brush = alt.selection_interval(name="steps", encodings=["x"])
    within = lines.transform_filter(brush).transform_filter("datum.step >= first && datum.step <= last")
    free = alt.Scale(zero=False)
    x, y = alt.X("step:Q", title=None, scale=free), alt.Y("value:Q", title=None, scale=free)
    tips = ["variant:N", "seed:N", "step:Q", alt.Tooltip("value:Q", format=".4~g"), "run:N"]
    marked = {"point": alt.OverlayMarkDef(size=12), "strokeWidth": 1.4}
    large = within.mark_line(**marked).encode(x=x, y=y, tooltip=tips)
    small = lines.mark_line(strokeWidth=0.8).encode(x=alt.X("step:Q", title="step"), y=y.axis(None))
    large = large.properties(width=640, height=280, title=title("term", in_group(report.several)))
    chart = alt.vconcat(large, small.properties(name="strip", width=640, height=50).add_params(brush), spacing=8)
    last = max(row[2] for row in data["curves"].rows)
    menus = [menu("term", "Curve", terms), *_whose(report, variants)]
    chart = chart.add_params(*menus, number("first", "From step", 0), number("last", "to step", last))
    words = f"Curves of {listed(terms)} over training, a line a seed, for {listed(variants)}."
    caption = (
        "A line a seed. Drag over the narrow strip to choose steps, drag the choice along or scroll on it to zoom;"
        " or give the steps. Curves are thinned to means of neighbouring steps."
    )
    return Figure("training", "Training curves", caption, words, plain(chart, words), data, "curves")


def agreement(report: Report) -> Figure | None:
    """Cosine between the gradients of two terms over training; nothing where no run recorded it."""
    data = {"conflicts": report.data["conflicts"], "runs": report.data["runs"]}
    pairs = data["conflicts"].distinct("pair")
    if not pairs:
        return None
    variants = _trained(report)
    lines = _lines(variants, "conflicts").transform_filter("datum.pair == pair")
    scale = alt.Scale(domain=[-1, 1])
    curve = lines.mark_line(strokeWidth=1.4).encode(
        x=alt.X("step:Q", title="step"), y=alt.Y("value:Q", title="cosine", scale=scale),
        tooltip=["variant:N", "seed:N", "step:Q", alt.Tooltip("value:Q", format="+.3f")],
    )  # fmt: skip
    none = alt.Chart(alt.InlineData(values=[{"none": 0}])).mark_rule(strokeDash=[4, 4]).encode(y="none:Q")
    chart = alt.layer(none, curve).properties(
        width="container", height=260, title=title("pair", in_group(report.several))
    )
    chart = chart.add_params(menu("pair", "Pair", pairs), *_whose(report, variants))
    words = f"Cosine between gradients of {listed(pairs)} over training; below the dashed line they pull apart."
    caption = "Cosine between the gradients of two loss terms on the weights they share; below 0 they are in conflict."
    return Figure("agreement", "Gradient conflict", caption, words, plain(chart, words), data, "conflicts")


def _whose(report: Report, variants: list[str]) -> list[Any]:
    """The menus that choose whose lines are drawn: forty variants at once are no picture."""
    return [menu("group", "Group", report.groups), menu("variant", "Variant", [_EVERY, *variants])]


def _trained(report: Report) -> list[str]:
    """Names of the variants that logged a step: the table's rows in their order, then the others."""
    ids = set(report.data["curves"].distinct("run"))
    found = {run.variant: None for run in report.runs if run.id in ids}
    rows = [name for name in report.variants if name in found]
    return rows + [name for name in found if name not in rows]


def _lines(variants: list[str], data: str = "curves") -> Any:
    """A line a run, coloured by variant; whose run it is stands in another data set."""
    whose = alt.LookupData(data=named("runs"), key="run", fields=["variant", "seed", "groups"])
    legend = alt.Legend(title=None, orient="bottom", columns=4)
    return (
        alt.Chart(named(data))
        .transform_lookup(lookup="run", from_=whose)
        .transform_filter(_OF_GROUP)
        .transform_filter(_OF_VARIANT)
        .encode(color=alt.Color("variant:N", sort=variants, legend=legend), detail="run:N")
    )
