"""The components we ship. A component is found by being there: each file implements the same hooks a stranger's plugin does."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from dalr_bench import hookimpl
from dalr_bench.plugin.spec import Register


def _modules(folder: str) -> Iterator[ModuleType]:
    package = importlib.import_module(f"{__name__}.{folder}")
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def _forward(folder: str, hook: str, register: Register) -> None:
    for module in _modules(folder):
        getattr(module, hook, lambda register: None)(register)


@hookimpl
def register_backbones(register: Register) -> None:
    _forward("backbones", "register_backbones", register)


@hookimpl
def register_sources(register: Register) -> None:
    _forward("sources", "register_sources", register)


@hookimpl
def register_teachers(register: Register) -> None:
    _forward("teachers", "register_teachers", register)


@hookimpl
def register_losses(register: Register) -> None:
    _forward("losses", "register_losses", register)


@hookimpl
def register_evaluators(register: Register) -> None:
    _forward("evaluators", "register_evaluators", register)


@hookimpl
def register_executors(register: Register) -> None:
    _forward("executors", "register_executors", register)


@hookimpl
def register_trackers(register: Register) -> None:
    _forward("trackers", "register_trackers", register)


@hookimpl
def model_exported(folder: str, config: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    for module in _modules("evaluators"):
        getattr(module, "model_exported", lambda **_: None)(folder=folder, config=config, record=record)
