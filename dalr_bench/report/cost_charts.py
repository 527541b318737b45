"""Charts of what runs cost, and of what they gain for it."""

from __future__ import annotations

import altair as alt

from dalr_bench.report.figures import Figure, listed, plain
from dalr_bench.report.model import Report
from dalr_bench.report.parameters import dots, in_group, menu, named, rows, title


def tradeoff(report: Report) -> Figure | None:
    """Mean score over mean seconds, a mark a row."""
    data = report.data["cells"]
    if not data.known("seconds"):
        return None
    channels = {key: value for key, value in dots(report.groups).items() if key != "yOffset"}
    start = alt.Chart(named("cells")).transform_filter("datum.column == column && isValid(datum.seconds)")
    seconds = alt.X("seconds:Q", title="seconds a run took", scale=alt.Scale(zero=False))
    tips = [
        "variant:N", "group:N", alt.Tooltip("mean:Q", format=".2f"), alt.Tooltip("std:Q", format=".2f"),
        alt.Tooltip("seconds:Q", format=".3~s"), alt.Tooltip("megabytes:Q", format=",.0f"), "n:Q",
    ]  # fmt: skip
    points = start.mark_point(size=70, filled=True).encode(
        x=seconds, y=alt.Y("mean:Q", title="score (×100)", scale=alt.Scale(zero=False)), tooltip=tips, **channels
    )
    names = start.mark_text(align="left", dx=8, fontSize=11).encode(x=seconds, y="mean:Q", text="variant:N")
    spread = start.transform_calculate(
        low="datum.mean - (datum.std || 0)", high="datum.mean + (datum.std || 0)"
    ).mark_rule(opacity=0.5).encode(x=seconds, y=alt.Y("low:Q"), y2="high:Q")  # fmt: skip
    pan = alt.selection_interval(bind="scales")
    chart = alt.layer(spread, points.add_params(pan), names)
    chart = chart.properties(width="container", height=360, title=title("column"))
    words = f"Mean score over mean seconds of a run, for {listed(report.variants)}."
    caption = "A mark a row; the upright line is one standard deviation over seeds. Drag and scroll to move and zoom."
    spec = plain(chart.add_params(menu("column", "Column", data.distinct("column"), report.main)), words)
    return Figure("tradeoff", "Score against cost", caption, words, spec, {"cells": data}, "cells")


def parts(report: Report) -> Figure | None:
    """Mean seconds of a run by part of the work."""
    data = report.data["parts"]
    if not data.rows:
        return None
    order = data.distinct("part")
    chart = (
        alt.Chart(named("parts"))
        .transform_filter("datum.group == group")
        .mark_bar()
        .encode(
            x=alt.X("sum(seconds):Q", title="seconds a run took"),
            y=alt.Y("variant:N", sort=report.variants, title=None),
            color=alt.Color("part:N", sort=order, legend=alt.Legend(title=None, orient="bottom", columns=4)),
            tooltip=["variant:N", "part:N", alt.Tooltip("sum(seconds):Q", format=".3~s", title="seconds")],
        )
        .properties(width="container", height=rows(report.variants, 26))
        .properties(title=title("'Seconds by part'", in_group(report.several)))
        .add_params(menu("group", "Group", report.groups))
    )
    words = f"Mean seconds of a run by part of the work ({listed(order)}) for {listed(report.variants)}."
    caption = "Mean over the finished runs of a row. Teachers and features that were stored before cost nothing here."
    return Figure("cost", "Cost by part", caption, words, plain(chart, words), {"parts": data}, "parts")


def step(report: Report) -> Figure | None:
    """Mean milliseconds of a training step by part: the student, every term of the loss, the rest."""
    data = report.data["steps"]
    if not data.known("ms"):
        return None
    order = data.distinct("part")
    chart = (
        alt.Chart(named("steps"))
        .transform_filter("datum.group == group && isValid(datum.ms)")
        .mark_bar()
        .encode(
            x=alt.X("sum(ms):Q", title="milliseconds a step"),
            y=alt.Y("variant:N", sort=report.variants, title=None),
            color=alt.Color("part:N", sort=order, legend=alt.Legend(title=None, orient="bottom", columns=4)),
            tooltip=[
                "variant:N", "part:N", alt.Tooltip("sum(ms):Q", format=".3~s", title="ms a step"),
                alt.Tooltip("max(megabytes):Q", format=",.3~f", title="peak MB"),
                alt.Tooltip("sum(joules):Q", format=".3~s", title="J a step"),
            ],
        )
        .properties(width="container", height=rows(report.variants, 26))
        .properties(title=title("'A training step by part'", in_group(report.several)))
        .add_params(menu("group", "Group", report.groups))
    )  # fmt: skip
    words = f"Mean milliseconds of a training step by part ({listed(order)}) for {listed(report.variants)}."
    caption = (
        "Forward and backward of each part, measured in the step itself; a term that is active on some steps counts"
        " by its share of them. Memory is how far a part raises it at most."
    )
    return Figure("step", "Cost of a step", caption, words, plain(chart, words), {"steps": data}, "steps")


def memory(report: Report) -> Figure | None:
    """Mean peak memory of a row's runs."""
    data = report.data["cells"]
    if not data.known("megabytes"):
        return None
    chart = (
        alt.Chart(named("cells"))
        .transform_filter("datum.group == group")
        .transform_aggregate(peak="max(megabytes)", groupby=["variant"])
        .mark_bar()
        .encode(
            x=alt.X("peak:Q", title="peak memory (MB)"),
            y=alt.Y("variant:N", sort=report.variants, title=None),
            tooltip=["variant:N", alt.Tooltip("peak:Q", format=",.0f", title="MB")],
        )
        .properties(width="container", height=rows(report.variants, 26))
        .properties(title=title("'Peak memory'", in_group(report.several)))
        .add_params(menu("group", "Group", report.groups))
    )
    words = f"Mean peak memory of a run, for {listed(report.variants)}."
    caption = "Mean over the finished runs of a row: the device’s memory where it has its own, else the process’s."
    return Figure("memory", "Peak memory", caption, words, plain(chart, words), {"cells": data}, "cells")
