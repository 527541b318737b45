"""What decides a run's cost but not how long it goes on: runs of one shape take the same time a step and the same memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dalr_bench.plugin.registry import Catalogue
from dalr_bench.suite.tree import canonical, digest
from dalr_bench.types import Kind, Ref

_HEX_DIGITS = 12
# Of `train`: what a step or a score costs. Rates and decays cost nothing, and steps are counted apart.
_TRAIN = ("batch", "precision", "score_precision", "micro_batch", "gradient_checkpointing")
# Counted where they are not what was done before they existed.
_LATER = {"compile": "none"}


def shape_of(config: Mapping[str, Any], catalogue: Catalogue) -> str:
    """A short hash of backbone, streams, teachers, losses, batch and evaluators.

    Left out are seeds, numbers with a point (temperatures, weights, rates), and the names by which parts refer to one
    another: a student costs the same whichever stored teacher ranks for it.
    """
    train = config["train"]
    idle = train.get("steps") == 0
    told = {
        "backbone": _part("backbone", config["backbone"], catalogue),
        "streams": _section("source", config.get("streams", {}), catalogue),
        "teachers": [] if idle else _section("teacher", config.get("teachers", {}), catalogue),
        "losses": [] if idle else _section("loss", config.get("losses", {}), catalogue),
        "train": {"idle": idle} | {key: train[key] for key in _TRAIN if train.get(key)}
        | {key: train[key] for key, before in _LATER.items() if train.get(key, before) != before},
        "dev": train.get("dev") and _part("evaluator", train["dev"], catalogue),
        "evaluate": [_part("evaluator", entry, catalogue) for entry in config.get("evaluate", ())],
    }
    return digest(canonical(told))[:_HEX_DIGITS]


def _section(kind: Kind, entries: Mapping[str, Any], catalogue: Catalogue) -> list[Any]:
    found = [[_part(kind, entry, catalogue), entry.get("on")] for entry in entries.values()]
    return sorted(found, key=canonical)


def _part(kind: Kind, entry: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    component = catalogue.components.get((kind, entry["name"]))
    markers = {} if component is None else component.markers
    kept = {
        option: value
        for option, value in entry.get("options", {}).items()
        if option != "seed" and not isinstance(markers.get(option), Ref) and not _is_measure(value)
    }
    return {"name": entry["name"], "options": kept}


def _is_measure(value: Any) -> bool:
    """A number with a point, or a list of such: it scales something."""
    return isinstance(value, float) or (isinstance(value, list) and bool(value) and all(map(_is_measure, value)))
