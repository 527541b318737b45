"""Points of growth: variants called `AXIS NUMBER` of a suite, and the number each stands at."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dalr_bench.errors import SuiteError
from dalr_bench.suite import Plan

_NAME = re.compile(r"(?P<axis>.*\S)\s+(?P<number>\d+)")


@dataclass(frozen=True)
class Point:
    """One point of an axis and the config that is measured there."""

    axis: str
    number: int
    config: Mapping[str, Any]


def axes(plan: Plan) -> dict[str, list[Point]]:
    """The points of every axis by number, of the first seed. Raises SuiteError where there is none, or where a point
    needs another run: nothing is trained here."""
    configs = {run.id: run.config for run in plan.runs}
    found: dict[str, dict[int, Point]] = {}
    for cell in plan.cells:
        match = _NAME.fullmatch(cell.variant)
        if match is not None:
            point = Point(match["axis"], int(match["number"]), configs[cell.run])
            found.setdefault(point.axis, {}).setdefault(point.number, point)
    if not found:
        raise SuiteError(
            "no variant is called AXIS NUMBER, such as `batch 64`: there is nothing to measure growth along"
        )
    points = {axis: [numbered[number] for number in sorted(numbered)] for axis, numbered in found.items()}
    _check([point for each in points.values() for point in each])
    return points


def _check(points: Sequence[Point]) -> None:
    waiting = [f"{point.axis} {point.number}" for point in points if point.config.get("needs")]
    if waiting:
        raise SuiteError(f"{', '.join(waiting)}: needs runs that are trained first; here nothing is trained")
