"""What a suite reads from outside: models, data and feature files of all its runs, whether they are there or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dalr_bench.errors import DataError, PluginError
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.suite.cell import Entry
from dalr_bench.suite.grid import Grid
from dalr_bench.suite.load import Suite
from dalr_bench.types import Requirement


@dataclass(frozen=True)
class Wanted:
    """One thing from outside, and the entries of the suite that ask for it (`teachers.clip`), in the suite's order.

    `looked` says where a path that is not there was looked for.
    """

    requirement: Requirement
    by: tuple[str, ...]
    looked: str = ""


def outside(suite: Suite, catalogue: Catalogue, only: Sequence[str] = (), seeds: Sequence[int] = ()) -> list[Wanted]:
    """Everything the chosen runs and those they need read from outside, each once.

    Data that is missing is what this is for, so it is no fault here. Raises SuiteError or PluginError for the rest.
    """
    grid = Grid(suite, catalogue)
    grid.check()
    chosen = grid.chosen(only, seeds)
    grid.faults.raise_any()
    found: dict[tuple[str, str | None], Wanted] = {}
    for name, combination in dict.fromkeys((name, combination) for name, combination, _ in grid.needs.closure(chosen)):
        for entry in grid.trees.cell(name, combination).entries:
            for requirement in _required(entry):
                key = (requirement.name, requirement.revision)
                found[key] = _joined(found.get(key), requirement, entry)
    return list(found.values())


def _joined(known: Wanted | None, asked: Requirement, entry: Entry) -> Wanted:
    if known is None:
        looked = (what for _, what, kind in entry.part.problems if kind == "data" and asked.name in what)
        return Wanted(asked, (entry.path,), next(looked, ""))
    patterns = tuple(dict.fromkeys((*known.requirement.patterns, *asked.patterns)))
    how = known.requirement.how or asked.how
    by = tuple(dict.fromkeys((*known.by, entry.path)))
    return replace(known, requirement=replace(known.requirement, patterns=patterns, how=how), by=by)


def _required(entry: Entry) -> Iterator[Requirement]:
    """What the component says it requires, then those of its paths to data it did not mention."""
    listed = list(_said(entry))
    yield from listed
    mentioned = {requirement.name for requirement in listed}
    for value in entry.part.paths.values():
        yield from (Requirement("data", path) for path in _paths(value) if path not in mentioned)


def _said(entry: Entry) -> Sequence[Requirement]:
    component = entry.part.component
    requires = None if component is None else getattr(component.factory, "requires", None)
    if component is None or requires is None:
        return ()
    try:
        return list(requires(entry.part.config["options"]))
    except DataError:
        raise
    except Exception as error:
        what = f"{component.kind} '{component.name}': its `requires` failed: {type(error).__name__}: {error}"
        raise PluginError(what) from error


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _paths(item)
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item)
