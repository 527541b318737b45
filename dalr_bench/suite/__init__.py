"""Suites: `load` reads one, `expand` makes the plan of it, `explain` says where each value of a run comes from.

Importing this package imports neither torch nor pydantic: what needs more is imported when it is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

# The functions shadow the modules they live in: whoever wants the module imports from it.
from dalr_bench.suite.explain import Explanation, explain, origins
from dalr_bench.suite.fingerprint import fingerprint
from dalr_bench.suite.load import Suite, load
from dalr_bench.suite.plan import Place, Plan

if TYPE_CHECKING:
    from dalr_bench.plugin.registry import Catalogue

__all__ = ["Explanation", "Place", "Plan", "Suite", "expand", "explain", "fingerprint", "load", "origins"]


def expand(suite: Suite, catalogue: Catalogue, only: Sequence[str] = (), seeds: Sequence[int] = ()) -> Plan:
    """Every run of a suite, see `dalr_bench.suite.grid.expand`."""
    from dalr_bench.suite.grid import expand as expand_grid

    return expand_grid(suite, catalogue, only, seeds)
