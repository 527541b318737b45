"""Charts of scores: what a component is worth, seeds, tasks against the baseline, scores beside the table."""

from __future__ import annotations

from typing import Any

import altair as alt

from dalr_bench.report.figures import Figure, listed, plain
from dalr_bench.report.model import Dataset, Report
from dalr_bench.report.parameters import dots, in_group, menu, named, rows, title

_CHOSEN = "datum.column == column"
_SCORE = "score (×100)"


def effects(report: Report) -> Figure | None:
    """Difference to the baseline with its interval; nothing without a baseline."""
    variants = report.compared
    if not report.data["cells"].known("delta") or not variants:
        return None
    zero = alt.Chart(named("zero")).mark_rule(strokeDash=[4, 4]).encode(x="zero:Q")
    chart = alt.layer(zero, *_whiskers_and_points(report)).properties(
        width="container", height=rows(variants, 30, len(report.groups)), title=title("column")
    )
    base = report.table.baseline
    words = f"Differences of {listed(variants)} to {base}, with 95 % intervals; the dashed line is none."
    caption = (
        f"Mean difference to {base}, paired by seed, with its 95 % interval. Where it rests on seeds and examples it"
        " holds for new seeds and new test examples; where on seeds alone (no stored predictions), for these examples."
    )
    spec = plain(chart.add_params(_column(report)), words)
    data = {"cells": report.data["cells"], "zero": Dataset("zero", ("zero",), [(0,)])}
    return Figure("effects", "Component effects", caption, words, spec, data, "cells")


def _whiskers_and_points(report: Report) -> tuple[alt.Chart, alt.Chart]:
    tips = [
        "variant:N", "group:N", alt.Tooltip("delta:Q", format="+.2f"), alt.Tooltip("low:Q", format="+.2f"),
        alt.Tooltip("high:Q", format="+.2f"), alt.Tooltip("p:Q", format=".4f"), alt.Tooltip("pairs:Q", title="pairs of seeds"),
        alt.Tooltip("rests_on:N", title="rests on"),
    ]  # fmt: skip
    start = alt.Chart(named("cells")).transform_filter(_CHOSEN)
    start = start.transform_filter(alt.FieldOneOfPredicate("variant", report.compared))
    start = start.transform_filter("isValid(datum.delta)")
    y, channels = alt.Y("variant:N", sort=report.compared, title=None), dots(report.groups)
    x = alt.X("delta:Q", title="difference to the baseline (×100)")
    points = start.mark_point(filled=True, size=80).encode(y=y, x=x, tooltip=tips, **channels)
    lines = start.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2)
    whiskers = lines.encode(y=y, x=alt.X("low:Q"), x2="high:Q", tooltip=tips, **_without(channels, "shape"))
    return whiskers, points


def seeds(report: Report) -> Figure | None:
    """Every seed's score, and the mean."""
    data = report.data["scores"]
    if not data.rows:
        return None
    y = alt.Y("variant:N", sort=report.variants, title=None)
    channels = dots(report.groups)
    start = alt.Chart(named("scores")).transform_filter(_CHOSEN)
    x = alt.X("value:Q", title=_SCORE, scale=alt.Scale(zero=False))
    tips = ["variant:N", "group:N", "seed:N", alt.Tooltip("value:Q", format=".2f"), "run:N"]
    points = start.mark_point(size=55, strokeWidth=1.6).encode(x=x, y=y, tooltip=tips, **channels)
    ticks = start.mark_tick(thickness=2, size=12).encode(
        x=alt.X("mean(value):Q", title=_SCORE), y=y, **_without(channels, "shape")
    )
    chart = alt.layer(ticks, points).properties(
        width="container", height=rows(report.variants, 26, len(report.groups)), title=title("column")
    )
    words = f"One mark a seed for each of {listed(report.variants)}; a bar marks the mean."
    caption = "One mark a seed; the upright bar is the mean over seeds. Runs that several groups share stand in each."
    spec = plain(chart.add_params(_column(report)), words)
    return Figure("seeds", "Seed distributions", caption, words, spec, {"scores": data}, "scores")


def tasks(report: Report) -> Figure | None:
    """Every column's mean against the baseline's, one variant at a time."""
    data = report.data["cells"]
    variants = [name for name in report.variants if name != report.table.baseline]
    if not data.known("baseline") or not variants:
        return None
    scale = alt.Scale(zero=False, nice=True)
    start = alt.Chart(named("cells")).transform_filter("datum.variant == variant && isValid(datum.baseline)")
    tips = [
        "column:N", "group:N", alt.Tooltip("mean:Q", format=".2f"), alt.Tooltip("baseline:Q", format=".2f"),
        alt.Tooltip("delta:Q", format="+.2f"),
    ]  # fmt: skip
    x, y = (
        alt.X("baseline:Q", title="baseline (×100)", scale=scale),
        alt.Y("mean:Q", title="variant (×100)", scale=scale),
    )
    points = start.mark_point(size=70, filled=True).encode(
        x=x, y=y, tooltip=tips, **_without(dots(report.groups), "yOffset")
    )
    ends = start.transform_aggregate(a="min(baseline)", b="max(baseline)", c="min(mean)", d="max(mean)")
    whole = ends.transform_calculate(low="min(datum.a, datum.c)", high="max(datum.b, datum.d)")
    same = whole.mark_rule(strokeDash=[4, 4]).encode(x=alt.X("low:Q"), x2="high:Q", y=alt.Y("low:Q"), y2="high:Q")
    chart = alt.layer(same, points).properties(width="container", height=340, title=title("variant"))
    words = f"Mean score in each column against that of {report.table.baseline}; above the dashed line it is higher."
    caption = f"One mark a column: its mean over {report.table.baseline}’s; above the dashed line it is higher."
    spec = plain(chart.add_params(menu("variant", "Variant", variants, variants[-1])), words)
    return Figure("tasks", "Tasks against the baseline", caption, words, spec, {"cells": data}, "cells")


def others(report: Report) -> Figure | None:
    """A map of the scores beside the table's columns: subsets, diagnostics, other metrics."""
    data = report.data["others"]
    if not data.rows:
        return None
    families = data.distinct("family")
    chart = _map(report, data).properties(
        width="container", height=rows(report.variants, 28), title=title("family", in_group(report.several))
    )
    words = f"Mean other scores of {listed(families)}, a row a variant, a column a measure."
    caption = (
        "Scores beside the table’s columns: subsets, diagnostics, other metrics; means over seeds, not ×100."
        " Colours compare numbers within the family shown; whether more is better depends on the measure."
    )
    menus = (menu("family", "Family", families), menu("group", "Group", report.groups))
    spec = plain(chart.add_params(*menus), words)
    return Figure("others", "Diagnostics", caption, words, spec, {"others": data}, "others")


def _map(report: Report, data: Dataset) -> Any:
    """A coloured cell with its number for each variant and measure of the chosen family."""
    axis = alt.Axis(labelAngle=-35, labelLimit=140)
    tips: list[Any] = ["variant:N", "measure:N", alt.Tooltip("value:Q", format=".4f"), alt.Tooltip("std:Q", format=".4f"), "n:Q"]
    chosen = alt.Chart(named("others")).transform_filter("datum.family == family && datum.group == group")
    start = chosen.encode(
        x=alt.X("measure:N", sort=data.distinct("measure"), title=None, axis=axis),
        y=alt.Y("variant:N", sort=report.variants, title=None),
        tooltip=tips,
    )
    colour = alt.Color("value:Q", title=None, scale=alt.Scale(zero=False), legend=None)
    numbers = start.mark_text(fontSize=11).encode(text=alt.Text("value:Q", format=".3f"))
    return alt.layer(start.mark_rect().encode(color=colour), numbers)


def _column(report: Report) -> Any:
    return menu("column", "Column", report.data["cells"].distinct("column"), report.main)


def _without(channels: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in channels.items() if key != name}
