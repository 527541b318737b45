"""What a component is worth: paired differences to the baseline, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from dalr_bench.record.results import Results
from dalr_bench.statistics.paired import Difference, difference
from dalr_bench.table.found import Found, baseline_of, find, group_label
from dalr_bench.table.model import Column
from dalr_bench.table.notes import clean

LEVEL = 0.95
# Pairs of runs and a column → their difference, in fractions.
Judge = Callable[[Sequence[tuple[str, str]], Column], Difference]
Effects = Mapping[tuple[str, str, str], Difference]


def effects(results: Results, columns: Sequence[Column], baseline: str | None, judge: Judge | None = None) -> Effects:
    """(variant, group, column) → difference to the baseline, by `judge`; without one by the paired t over seeds."""
    lines, found = find(results.summary, results.records)
    judge = judge or by_seeds(found)
    out = {}
    for line in lines:
        base = baseline_of(line, lines, baseline)
        if base is None:
            continue
        for column in columns:
            if pairs := found.pairs(line, base, column):
                out[clean(line.variant), group_label(dict(line.axes)), column.name] = judge(pairs, column)
    return out


def by_seeds(found: Found) -> Judge:
    """Takes seeds to be drawn at random and the test examples as given. Source: Student (1908)."""

    def judge(pairs: Sequence[tuple[str, str]], column: Column) -> Difference:
        values = [[(found.value(run, column) or 0.0) / 100 for run in pair] for pair in pairs]
        ours, theirs = np.array(values).T
        return difference(ours - theirs, None, np.random.default_rng(0), LEVEL)

    return judge
