"""Where each value of a run comes from, and what of it decides the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dalr_bench.errors import Fault, SuiteError, nearest
from dalr_bench.suite.load import Suite
from dalr_bench.suite.tree import Node, as_map

if TYPE_CHECKING:
    from dalr_bench.plugin.registry import Catalogue
    from dalr_bench.suite.axes import Combination
    from dalr_bench.suite.cell import Cell, Entry
    from dalr_bench.suite.document import Document
    from dalr_bench.suite.grid import Grid
    from dalr_bench.suite.plan import Plan

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Line:
    """One resolved value. `origin` is FILE:LINE:COLUMN, `--set` or `default`; `counts`: how it decides the result."""

    path: str
    value: Any
    origin: str
    counts: str


@dataclass(frozen=True)
class Explanation:
    """A run, value by value. `components` are the distributions that count; `needs` the runs it is trained after."""

    run_id: str
    identity: str
    variant: str
    axes: Mapping[str, str]
    seed: int
    lines: tuple[Line, ...]
    components: Mapping[str, str]
    needs: Mapping[str, str]
    config: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return {
            "run_id": self.run_id,
            "identity": self.identity,
            "variant": self.variant,
            "axes": dict(self.axes),
            "seed": self.seed,
            "values": [
                {"path": line.path, "value": line.value, "origin": line.origin, "counts": line.counts}
                for line in self.lines
            ],
            "components": dict(self.components),
            "needs": dict(self.needs),
            "config": dict(self.config),
        }


def explain(
    suite: Suite, catalogue: Catalogue, variant: str, seed: int | None = None, axes: Mapping[str, str] | None = None
) -> Explanation:
    """One run of a suite: the first seed and the first value of each axis where none is named.

    Raises SuiteError for an unknown variant, seed or axis, and what `expand` raises for faults of the suite.
    """
    from dalr_bench.suite.axes import labels
    from dalr_bench.suite.grid import Grid

    grid = Grid(suite, catalogue)
    grid.check()
    grid.faults.raise_any()
    if variant not in grid.document.variants:
        raise SuiteError(Fault(f"no variant is called '{variant}'. {nearest(variant, grid.document.variants)}"))
    combination = _combination(grid.document, axes or {})
    # A needed run may have a seed of its own, so any seed can be asked about.
    key = (variant, combination, next(iter(grid.document.seeds)) if seed is None else seed)
    grid.needs.check(key)
    grid.check_data([key])
    grid.faults.raise_any()
    plan = grid.plan([key])
    run = next(run for run in plan.runs if run.id == plan.cells[0].run)
    cell = grid.trees.cell(variant, combination)
    return Explanation(
        run_id=run.id,
        identity=plan.identities[run.id],
        variant=variant,
        axes=labels(combination),
        seed=key[2],
        lines=tuple(_lines(grid, cell, combination, key[2])),
        components=_components(cell),
        needs={f"{need['variant']} (seed {need['seed']})": need["run_id"] for need in run.config["needs"]},
        config=run.config,
    )


def origins(plan: Plan) -> dict[str, Any]:
    """Where each run's values were written, as `origins.json` holds it: {"runs": {run id: number}, "origins": [{path:
    FILE:LINE:COLUMN, default or --set}]}. Runs that differ by their seed alone share one."""
    numbers: dict[int, int] = {}
    found: list[dict[str, str]] = []
    runs = {}
    for run, entries in plan.entries.items():
        if id(entries) not in numbers:
            numbers[id(entries)] = len(found)
            found.append({line.path: line.origin for entry in entries for line in _entry(entry)})
        runs[run] = numbers[id(entries)]
    return {"runs": runs, "origins": found}


def _combination(document: Document, axes: Mapping[str, str]) -> Combination:
    from dalr_bench.suite.axes import labels

    known = {axis.key: [value.label for value in axis.values] for axis in document.axes}
    for key, label in axes.items():
        if key not in known:
            raise SuiteError(Fault(f"there is no axis '{key}'. {nearest(key, known)}"))
        if label not in known[key]:
            raise SuiteError(Fault(f"axis {key} has no value '{label}'. {nearest(label, known[key])}"))
    fitting = (
        found for found in document.combinations if all(labels(found)[key] == label for key, label in axes.items())
    )
    chosen = next(fitting, None)
    if chosen is None:
        raise SuiteError(Fault("these values of the axes never come together (they go in lockstep)"))
    return chosen


def _lines(grid: Grid, cell: Cell, combination: Combination, seed: int) -> Iterator[Line]:
    yield Line("suite", grid.suite.name, _origin(grid.suite.tree, "suite"), "no")
    for row in combination:
        for value in row:
            yield Line(f"axes.{value.axis}", value.label, str(value.at.at), "no")
    written = grid.document.seeds.get(seed)
    yield Line("seed", seed, DEFAULT if written is None else str(written.at), "yes")
    for entry in cell.entries:
        yield from _entry(entry)


def _entry(entry: Entry) -> Iterator[Line]:
    node, config = as_map(entry.node), entry.part.config
    runs = {option for option, ref, _ in entry.part.refs if ref.section == "variants"}
    for key, value in config.items():
        if entry.path == "train" and key == "dev":
            continue  # a part of its own
        if key != "options":
            counts = "no" if key in entry.part.uncounted else "yes"
            yield Line(f"{entry.path}.{key}", value, _origin(node, key), counts)
            continue
        for option, setting in value.items():
            by_content = option in entry.part.paths or option in entry.part.models
            counts = "by content" if by_content else "by the run it names" if option in runs else "yes"
            yield Line(f"{entry.path}.{option}", setting, _origin(node, option), counts)


def _origin(node: Node, key: str) -> str:
    found = node.entries.get(key)
    return DEFAULT if found is None else str(found.at)


def _components(cell: Cell) -> dict[str, str]:
    found = ((entry.path, entry.part.component) for entry in cell.entries)
    return {path: f"{component.distribution} {component.version}" for path, component in found if component is not None}
