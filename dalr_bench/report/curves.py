"""What training logged, thinned so that a page of hundreds of runs stays small."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dalr_bench.report.model import Dataset, Run

DEV = "dev score"
# Columns of the log that are no term of the loss: the step itself, the clock.
_NOT_DRAWN = ("step", "seconds")
_LAST = ("grad_norm", "rate")
_COSINE = "cosine("
_MOST_POINTS, _FEWEST_A_CURVE, _MOST_A_CURVE = 60_000, 20, 150

Point = tuple[int, float]


def curves(runs: Sequence[Run]) -> Dataset:
    """(run, term, step, value) of every term of the loss, the gradient's norm, the rate and the dev score (×100).

    A curve keeps at most 150 points (fewer where there are many), each the mean of the steps it stands for.
    """
    found = {run.id: {**_dev(run), **_logged(run, conflict=False)} for run in runs}
    terms = _order(dict.fromkeys(term for each in found.values() for term in each))
    return _dataset("training curves", "term", found, terms)


def conflicts(runs: Sequence[Run]) -> Dataset:
    """(run, pair, step, value): cosine between the gradients of two loss terms, from log columns `cosine(a, b)`."""
    found = {run.id: _logged(run, conflict=True) for run in runs}
    pairs = list(dict.fromkeys(pair for each in found.values() for pair in each))
    return _dataset("gradient cosines", "pair", found, pairs)


def thin(points: Sequence[Point], most: int) -> list[Point]:
    """At most `most` points: means over runs of neighbours of equal length (the last may be shorter)."""
    size = math.ceil(len(points) / most)
    if size <= 1:
        return list(points)
    blocks = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        (round(sum(step for step, _ in block) / len(block)), math.fsum(value for _, value in block) / len(block))
        for block in blocks
    ]


def _dataset(label: str, name: str, found: Mapping[str, Mapping[str, list[Point]]], order: Sequence[str]) -> Dataset:
    number = sum(len(each) for each in found.values())
    most = max(_FEWEST_A_CURVE, min(_MOST_A_CURVE, _MOST_POINTS // max(1, number)))
    rows = [
        (run, term, step, float(f"{value:.5g}"))
        for term in order
        for run, each in found.items()
        for step, value in thin(each.get(term, []), most)
    ]
    return Dataset(label, ("run", name, "step", "value"), rows)


def _order(terms: Mapping[str, Any]) -> list[str]:
    first = [term for term in (DEV, "loss") if term in terms]
    last = [term for term in _LAST if term in terms]
    return first + [term for term in terms if term not in (*first, *last)] + last


def _logged(run: Run, conflict: bool) -> dict[str, list[Point]]:
    out: dict[str, list[Point]] = {}
    for line in run.steps:
        for name, value in _numbers(line):
            if name not in _NOT_DRAWN and name.startswith(_COSINE) == conflict:
                out.setdefault(name, []).append((line["step"], value))
    return out


def _dev(run: Run) -> dict[str, list[Point]]:
    entries = run.record.extra.get("dev_curve") if run.record is not None else None
    lines = [dict(_numbers(entry)) for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    points = [(int(line["step"]), 100 * line["value"]) for line in lines if {"step", "value"} <= set(line)]
    return {DEV: points} if points else {}


def _numbers(line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in line.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            yield str(name), value
