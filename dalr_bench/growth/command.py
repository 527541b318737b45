"""From a suite's name to what was measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dalr_bench.errors import SuiteError, nearest
from dalr_bench.growth.measure import grow
from dalr_bench.growth.points import axes
from dalr_bench.growth.result import document
from dalr_bench.plugin.manager import load as load_plugins
from dalr_bench.record.environment import environment
from dalr_bench.suite import expand, load
from dalr_bench.train.device import choose
from dalr_bench.workshop import Workshop


@dataclass(frozen=True)
class Wish:
    """What is to be measured, as the command line says it."""

    suite: str
    wanted: Sequence[str] = ()
    overrides: Sequence[str] = ()
    smoke: bool = False
    rounds: int = 5
    threads: int = 1
    device: str = "cpu"


def measured(wish: Wish, told: Callable[[str], None]) -> dict[str, Any]:
    """The document of all axes, one after another. Raises SuiteError for a suite without points or an unknown axis."""
    torch.set_num_threads(wish.threads)
    plugins = load_plugins()
    found = axes(expand(load(wish.suite, wish.overrides, wish.smoke), plugins.catalogue))
    for name in wish.wanted:
        if name not in found:
            raise SuiteError(f"--axis {name}: no points are called that. {nearest(name, found)}")
    workshop = Workshop(plugins, choose(wish.device), os.environ.get("DALR_BENCH_DATA"))
    grown = {}
    for axis in wish.wanted or found:
        told(f"{axis}: {', '.join(str(point.number) for point in found[axis])}")
        grown[axis] = grow(found[axis], workshop, wish.rounds)
    return document(grown, environment(str(workshop.device), plugins.catalogue), wish.threads)
