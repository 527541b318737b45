"""`results/<suite>/suite.json`: the cells of a suite and the run each of them is. Written by `run`, read by tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dalr_bench.record.record import take


@dataclass(frozen=True)
class Place:
    """One cell of the grid. Cells whose results must be equal name the same run."""

    variant: str
    seed: int
    run_id: str
    axes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Summary:
    """A suite as its results folder knows it.

    `variants` in the order of the suite; `support` are variants that only others need (teachers): no rows of a table;
    `floors` are what any method must beat; `expect` are published numbers as printed (×100), {variant: {"task.metric":
    value}}, and under "source" where they were printed; `contributions` are pairs of variants that differ by one
    component: {"component", "kind": "leave-one-out" | "add-one-in", "with", "without"}.
    """

    suite: str
    title: str = ""
    variants: Sequence[str] = ()
    support: Sequence[str] = ()
    floors: Sequence[str] = ()
    axes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cells: Sequence[Place] = ()
    expect: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    contributions: Sequence[Mapping[str, str]] = ()

    def to_json(self) -> dict[str, Any]:
        """The document of `suite.json`."""
        return {
            "suite": self.suite,
            "title": self.title,
            "variants": list(self.variants),
            "support": list(self.support),
            "floors": list(self.floors),
            "axes": {name: list(labels) for name, labels in self.axes.items()},
            "cells": [
                {"variant": cell.variant, "axes": dict(cell.axes), "seed": cell.seed, "run_id": cell.run_id}
                for cell in self.cells
            ],
            "expect": {variant: dict(values) for variant, values in self.expect.items()},
            "contributions": [dict(each) for each in self.contributions],
        }

    @classmethod
    def from_json(cls, document: Any) -> Summary:
        """Raises ValueError with what is wrong, in one line."""
        if not isinstance(document, dict):
            raise ValueError("the summary of a suite is an object")
        full = {"title": "", "support": [], "floors": [], "axes": {}, "expect": {}, "contributions": [], **document}
        return cls(
            suite=take(full, "suite", str),
            title=take(full, "title", str),
            variants=tuple(map(str, take(full, "variants", list))),
            support=tuple(map(str, take(full, "support", list))),
            floors=tuple(map(str, take(full, "floors", list))),
            axes={name: tuple(map(str, take(full["axes"], name, list))) for name in take(full, "axes", dict)},
            cells=tuple(place_from_json(item) for item in take(full, "cells", list)),
            expect={variant: take(full["expect"], variant, dict) for variant in take(full, "expect", dict)},
            contributions=tuple(_contribution(item) for item in take(full, "contributions", list)),
        )


def _contribution(item: Any) -> dict[str, str]:
    if not isinstance(item, dict):
        raise ValueError("each of `contributions` is an object")
    return {key: take(item, key, str) for key in ("component", "kind", "with", "without")}


def place_from_json(item: Any) -> Place:
    """One of `cells`, or one of the runs a config `needs`. Raises ValueError with what is wrong, in one line."""
    if not isinstance(item, dict):
        raise ValueError("each of `cells` is an object")
    axes = {str(key): str(value) for key, value in take({"axes": {}, **item}, "axes", dict).items()}
    run_id = take(item, "run_id", str)
    if run_id in ("", ".", "..") or "/" in run_id or "\0" in run_id:
        raise ValueError(f"{run_id!r} is no name of a run")
    return Place(take(item, "variant", str), take(item, "seed", int), run_id, axes)
