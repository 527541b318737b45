"""The axes of a grid: every value of each (product), or several in lockstep (zip)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dalr_bench.errors import nearest
from dalr_bench.suite.diffs import Diffs, Patch, patch_of
from dalr_bench.suite.faults import Faults
from dalr_bench.suite.keys import BASE
from dalr_bench.suite.names import name_fault
from dalr_bench.suite.tree import Node, canonical, plain, text


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One value of an axis: its label and what it lays over a variant."""

    axis: str
    label: str
    patches: tuple[Patch, ...]
    at: Node


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """A grid's axis. Axes of one `zip` have as many values each and go together: they share `block`."""

    key: str
    at: Node
    values: tuple[Value, ...]
    block: int


Row = tuple[Value, ...]
Combination = tuple[Row, ...]


def read_axes(tree: Node, diffs: Diffs, faults: Faults) -> list[Axis]:
    """The axes of `grid`, then those of `zip`, in the order they are written."""
    out: list[Axis] = []
    grid = tree.entries.get("grid")
    if grid is not None:
        if not grid.is_map or not grid.entries:
            faults.add(
                "expected at least one axis: `PATH: [value, ...]` or `NAME: {label: diff, ...}`", "grid", grid.at
            )
        out += [
            _axis(key, node, f"grid.{key}", diffs, faults, block)
            for block, (key, node) in enumerate(grid.entries.items())
        ]
    out += _zipped(tree, diffs, faults, len(out))
    seen: dict[str, Axis] = {}
    for axis in out:
        first = seen.setdefault(axis.key, axis)
        if first is not axis:
            faults.add(f"this axis is given twice, first at {first.at.named_at}", axis.key, axis.at.named_at)
    return [axis for axis in seen.values() if axis.values]


def _zipped(tree: Node, diffs: Diffs, faults: Faults, block: int) -> list[Axis]:
    node = tree.entries.get("zip")
    if node is None:
        return []
    if not node.items or not all(item.is_map and item.entries for item in node.items):
        faults.add("expected a list of maps, each {PATH: [value, ...], ...} with lists of one length", "zip", node.at)
    out: list[Axis] = []
    for position, item in enumerate(node.items):
        path = f"zip.{position}"
        together = [
            _axis(key, child, f"{path}.{key}", diffs, faults, block + position) for key, child in item.entries.items()
        ]
        lengths = {len(axis.values) for axis in together}
        if len(lengths) > 1:
            sizes = ", ".join(f"{axis.key} has {len(axis.values)}" for axis in together)
            faults.add(f"values in lockstep are equally many; {sizes}", path, item.at)
            together = []
        out += together
    return out


def _axis(key: str, node: Node, path: str, diffs: Diffs, faults: Faults, block: int) -> Axis:
    wrong = name_fault(key)
    if wrong:
        faults.add(wrong, path, node.named_at)
    if key in ("variant", "seed"):
        faults.add(f"an axis cannot be called '{key}'; that is a word of its own in `exclude`", path, node.named_at)
    if not node.entries and not node.items:
        faults.add("an axis has at least one value: `PATH: [value, ...]` or `NAME: {label: diff, ...}`", path, node.at)
    if node.is_map:
        values = [_labelled(key, label, child, path, diffs, faults) for label, child in node.entries.items()]
    else:
        values = _listed(key, node, path, faults)
    _no_twins(values, path, faults)
    return Axis(key, node, tuple(values), block)


def _labelled(key: str, label: str, node: Node, path: str, diffs: Diffs, faults: Faults) -> Value:
    wrong = name_fault(label)
    if wrong:
        faults.add(wrong, f"{path}.{label}", node.named_at)
    return Value(key, label, diffs.compose(node, f"{path}.{label}"), node)


def _listed(key: str, node: Node, path: str, faults: Faults) -> list[Value]:
    if node.items and (key.split(".")[0] not in BASE or not all(key.split("."))):
        what = f"values in a list need an axis that is a path into a run. {nearest(key.split('.')[0], BASE)}"
        faults.add(f"{what} With labels (`{key}: {{label: diff}}`) any name will do.", path, node.named_at)
        return []
    return [
        Value(
            key,
            text(plain(item)),
            (patch_of(Node({key: Node(item.value, item.at, node.named_at)}, item.at), path, faults),),
            item,
        )
        for item in node.items
    ]


def _no_twins(values: Sequence[Value], path: str, faults: Faults) -> None:
    seen: dict[str, Value] = {}
    for position, value in enumerate(values):
        first = seen.setdefault(canonical([plain(patch.node) for patch in value.patches]), value)
        if first is not value:
            where = value.label if value.at.key_at and first.at.key_at else str(position)
            faults.add(f"the same value stands at {first.at.at} already", f"{path}.{where}", value.at.at)


def combinations(axes: Sequence[Axis]) -> list[Combination]:
    """Every combination, the last axis fastest. Without axes there is one: nothing."""
    blocks: dict[int, list[Row]] = {}
    for number in dict.fromkeys(axis.block for axis in axes):
        blocks[number] = list(zip(*(axis.values for axis in axes if axis.block == number), strict=True))
    out: list[Combination] = [()]
    for rows in blocks.values():
        out = [(*done, row) for done in out for row in rows]
    return out


def labels(combination: Combination) -> dict[str, str]:
    """Axis → label."""
    return {value.axis: value.label for row in combination for value in row}
