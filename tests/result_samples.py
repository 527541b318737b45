"""A small suite of results whose table can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dalr_bench.record.record import Record
from dalr_bench.record.results import write_summary
from dalr_bench.record.store import begin, finish
from dalr_bench.record.summary import Place, Summary
from dalr_bench.types import Score

PROTOCOL = "sts; aggregation=all; sts13=without SMT | pooling=cls; torch=2"

# STS12 ×100 by (variant, teacher): None failed, "-" was not run. Every run's average is half a point above it.
VALUES: dict[tuple[str, str], Sequence[float | str | None]] = {
    ("floor", "one"): (50,),
    ("baseline", "one"): (70, 71, 72),
    ("+CML", "one"): (72, 72, 75),
    ("DALR", "one"): (73, 74, None),
    ("+CML", "two"): ("-", "-", "-"),
    ("DALR", "two"): (70, 71, 72),
}
# The floor needs no seed and no teacher, the baseline no teacher: those cells name runs of others.
SHARED = {("floor", "two"): ("floor", "one"), ("baseline", "two"): ("baseline", "one")}


def scores(x100: float, protocol: str = PROTOCOL) -> list[Score]:
    """What a run of that STS12 holds: an average, a set, one of its subsets, a second metric and a dev score."""
    return [
        Score("STS", "avg", (x100 + 0.5) / 100, 7, aggregation="all", protocol=protocol),
        Score("STS12", "pearson", 0.11, 3108, aggregation="all", protocol=protocol),
        Score("STS12", "spearman", x100 / 100, 3108, aggregation="all", protocol=protocol),
        Score("STS12/MSRpar", "spearman", 0.22, 750, protocol=protocol),
        Score("STS-dev", "spearman", 0.33, 1500, split="dev", protocol=protocol),
    ]


def places() -> list[Place]:
    """The cells of the suite, duplicates naming the run they are."""
    cells = []
    for teacher in ("two", "one"):  # against the order of the suite, which the table must restore
        for variant in ("teacher", "DALR", "+CML", "baseline", "floor"):
            source = SHARED.get((variant, teacher), (variant, teacher))
            for seed in (2, 1, 0):
                run = "floor" if variant == "floor" else f"{source[0]}-{source[1]}-{seed}"
                cells.append(Place(variant, seed, run, {"teacher": teacher}))
    return cells


def summary(title: str = "Pets & friends") -> Summary:
    """`suite.json` of the sample."""
    return Summary(
        suite="pets",
        title=title,
        variants=("floor", "baseline", "+CML", "DALR", "teacher"),
        support=("teacher",),
        floors=("floor",),
        axes={"teacher": ("one", "two")},
        cells=places(),
        expect={"DALR": {"sts.avg": 79.5, "STS99.spearman": 1.0, "source": "the paper, Table 2"}},
        contributions=(
            {"component": "+IML", "kind": "leave-one-out", "with": "DALR", "without": "+CML"},
            {"component": "+CML", "kind": "add-one-in", "with": "+CML", "without": "baseline"},
        ),
    )


def records() -> dict[str, Record]:
    """The sample's records by run id; teachers have none."""
    out = {}
    for (variant, teacher), values in VALUES.items():
        for seed, value in enumerate(values):
            run = "floor" if variant == "floor" else f"{variant}-{teacher}-{seed}"
            if value == "-":
                continue
            seconds = {"train": 8.0, "score": 2.0 + seed}
            record = Record(run, "pets", variant, seed, {"teacher": teacher}, seconds=seconds)
            failed = replace(record, status="failed", error="the loss is NaN")
            out[run] = failed if value is None else replace(record, scores=scores(float(value)))
    return out


def write(folder: Path) -> Path:
    """The sample as a results folder."""
    for run, record in records().items():
        begin(folder / run, {"variant": record.variant})
        finish(folder / run, record)
    write_summary(folder, summary())
    return folder
