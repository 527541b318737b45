"""Paths inside a resolved config, of data (found by the components' markers) and of models on this machine: replaced by
names that mean the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dalr_bench.plugin.registry import Catalogue, Component
from dalr_bench.suite.models import local_models
from dalr_bench.types import DataFile

_SECTIONS = {"streams": "source", "teachers": "teacher", "losses": "loss"}


def parts_of(config: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every component entry of a config: its path, its kind, the entry."""
    yield "backbone", "backbone", config["backbone"]
    for section, kind in _SECTIONS.items():
        for label, entry in config[section].items():
            yield f"{section}.{label}", kind, entry
    if config["train"].get("dev") is not None:
        yield "train.dev", "evaluator", config["train"]["dev"]
    for position, entry in enumerate(config["evaluate"]):
        yield f"evaluate.{position}", "evaluator", entry


def replaced(config: Mapping[str, Any], catalogue: Catalogue, change: Callable[[str], str]) -> dict[str, Any]:
    """The config with `change` applied to every path to data or a model; nothing else differs."""

    def entry(kind: str, found: Mapping[str, Any]) -> dict[str, Any]:
        component, options = catalogue.get(kind, found["name"]), found["options"]
        marked = {option for option, marker in component.markers.items() if isinstance(marker, DataFile)}
        data = {option: _each(options[option], change) for option in options if option in marked}
        return {**found, "options": {**options, **_models(component, options, change), **data}}

    dev = config["train"].get("dev")
    return {
        **config,
        "backbone": entry("backbone", config["backbone"]),
        **{
            section: {label: entry(kind, found) for label, found in config[section].items()}
            for section, kind in _SECTIONS.items()
        },
        "train": {**config["train"], "dev": None if dev is None else entry("evaluator", dev)},
        "evaluate": [entry("evaluator", found) for found in config["evaluate"]],
    }


def paths_of(config: Mapping[str, Any], catalogue: Catalogue) -> list[str]:
    """Every path to data or a model, once, in order."""
    seen: dict[str, None] = {}

    def note(path: str) -> str:
        seen[path] = None
        return path

    replaced(config, catalogue, note)
    return list(seen)


def portable(paths: Sequence[str]) -> dict[str, str]:
    """Path → a relative name: below the folder of evaluation data or the working folder where it lies there, else below
    the folder all others share. No name says whose machine it was."""
    bases = [Path(base).absolute() for base in (os.environ.get("DALR_BENCH_DATA"), os.getcwd()) if base]
    out: dict[str, str] = {}
    others = []
    for path in paths:
        base = next((base for base in bases if Path(path).is_relative_to(base) and Path(path) != base), None)
        if base is None:
            others.append(path)
        else:
            out[path] = Path(path).relative_to(base).as_posix()
    root = os.path.commonpath([os.path.dirname(path) for path in others]) if others else ""
    return out | {path: Path(os.path.relpath(path, root)).as_posix() for path in others}


def _models(component: Component, options: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, str]:
    """What names a model's folder or file, with the prefix it has. Where it stands below the working folder it may be relative."""
    files = ((option, place) for option, place in local_models(component, options).items() if os.path.exists(place))
    return {option: options[option].removesuffix(place) + change(os.path.abspath(place)) for option, place in files}


def _each(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _each(item, change) for key, item in value.items()}
    return change(value) if isinstance(value, str) else value
