"""Models that lie on this machine: known by what is in their files. A model of a hub is known by its name and revision."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dalr_bench.plugin.registry import Component
from dalr_bench.suite.fingerprint import fingerprint

_PACKAGE = "package:"


def reads_models(component: Component | None) -> bool:
    """Whether it may read models from outside: it has `requires`."""
    return getattr(getattr(component, "factory", None), "requires", None) is not None


def local_models(component: Component | None, options: Mapping[str, Any]) -> dict[str, str]:
    """Option → what it names, for components that read models from outside: a folder or file of this machine, with or
    without a prefix (`local-dir:...`), or `package:NAME`. Nothing is imported to find out."""
    if not reads_models(component):
        return {}
    named = ((option, _place(value)) for option, value in options.items() if isinstance(value, str))
    return {option: place for option, place in named if place is not None}


def beside(value: str, folder: str) -> str:
    """The name of a model, as the path of a folder beside the suite where one holds a model of that name and the working
    folder has none."""
    head, mark, name = value.rpartition(":")
    place = os.path.abspath(os.path.join(folder, name)) if name and "\0" not in name else ""
    if value.startswith(_PACKAGE) or not place or os.path.exists(name):
        return value
    there = os.path.isdir(place) and any(file.endswith("config.json") for file in os.listdir(place))
    return f"{head}{mark}{place}" if there else value


def _place(value: str) -> str | None:
    if value.startswith(_PACKAGE):
        return value
    found = (part for part in (value, value.partition(":")[2]) if part and "\0" not in part and os.path.exists(part))
    place = next(found, None)
    # A word like `mean` may also be a folder here by chance; one that holds a model is meant.
    by_name = place is not None and (os.sep in place or os.path.isfile(os.path.join(place, "config.json")))
    return place if by_name else None


def model_content(name: str) -> str:
    """sha256 over a model's weights, configuration and tokenizer; of an installed package its version.

    Raises DataError where the files cannot be read.
    """
    if name.startswith(_PACKAGE):
        package = name.removeprefix(_PACKAGE)
        try:
            return f"{name} {version(package)}"
        except PackageNotFoundError:
            return name
    return f"model:{fingerprint(name, only=_is_read)}"


def _is_read(name: str) -> bool:
    """Files that decide what a model computes; cards and pictures beside it do not."""
    return not name.startswith(".") and Path(name).suffix not in (".md", ".png", ".jpg", ".gitattributes", ".lock")
