"""A last resort, where nothing like a run was ever measured: arithmetic, and what it supposes is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dalr_bench.plugin.registry import Catalogue
from dalr_bench.types import Run

# 6 P T: a forward and a backward pass of T tokens through P matrix parameters (2 and 4 operations each), two views.
_OPERATIONS, _VIEWS, _TOKENS = 6, 2, 24
# What small encoders reach, operations a second: a core at fp32; a GPU at bf16. A guess to one digit.
_CORE, _GPU = 4e10, 1e14


def seconds_a_step(runs: Sequence[Run], catalogue: Catalogue, device: Mapping[str, Any]) -> dict[str, float]:
    """Run id → seconds a step, for backbones that tell their size (static method `parameters(options) -> int | None`)."""
    speed = _GPU if device.get("gpu") else _CORE
    out = {}
    for run in runs:
        size = _parameters(run, catalogue)
        if size:
            out[run.id] = _OPERATIONS * _VIEWS * _TOKENS * run.config["train"]["batch"] * size / speed
    return out


def _parameters(run: Run, catalogue: Catalogue) -> int | None:
    entry = run.config["backbone"]
    component = catalogue.components.get(("backbone", entry["name"]))
    tell = getattr(component.factory, "parameters", None) if component is not None else None
    found = tell(entry["options"]) if tell is not None else None
    return found if isinstance(found, int) else None
