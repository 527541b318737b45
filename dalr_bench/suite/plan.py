"""What a suite comes to: runs in the order they can be run, and the cells of the grid each of them fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dalr_bench.suite.contributions import Contribution
from dalr_bench.suite.load import Suite
from dalr_bench.types import Run

if TYPE_CHECKING:
    from dalr_bench.suite.cell import Entry


@dataclass(frozen=True, slots=True)
class Place:
    """One cell: a variant, its axes and its seed, and the run that fills it. Cells of equal identity share a run."""

    variant: str
    axes: Mapping[str, str]
    seed: int
    run: str
    duplicate: bool = False

    def to_json(self) -> dict[str, Any]:
        """As it stands in `suite.json`."""
        return {"variant": self.variant, "axes": dict(self.axes), "seed": self.seed, "run_id": self.run}


@dataclass(frozen=True)
class Plan:
    """`runs` with those they need before them; `cells` in the order of the suite (variants, then axes, then seeds);
    `entries`: the parts of each run as they are written."""

    suite: Suite
    runs: tuple[Run, ...]
    cells: tuple[Place, ...]
    variants: tuple[str, ...]
    support: tuple[str, ...]
    floors: tuple[str, ...]
    axes: Mapping[str, Sequence[str]]
    seeds: tuple[int, ...]
    identities: Mapping[str, str]
    contributions: tuple[Contribution, ...] = ()
    entries: Mapping[str, Sequence[Entry]] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """The document of `results/<suite>/suite.json`: what a table needs to know of the suite."""
        return {
            "suite": self.suite.name,
            "title": self.suite.title,
            "variants": list(self.variants),
            "support": list(self.support),
            "floors": list(self.floors),
            "axes": {key: list(values) for key, values in self.axes.items()},
            "cells": [place.to_json() for place in self.cells],
            "expect": self.suite.expect,
            "contributions": [each.to_json() for each in self.contributions],
        }
