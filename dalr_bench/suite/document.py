"""What a suite's document says, checked section by section: seeds, variants, axes, exclusions, published numbers."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dalr_bench.errors import nearest
from dalr_bench.suite.axes import Axis, Combination, combinations, labels, read_axes
from dalr_bench.suite.diffs import SECTIONS, Diffs, Patch
from dalr_bench.suite.faults import Faults
from dalr_bench.suite.generate import generated, groups_of
from dalr_bench.suite.keys import BASE
from dalr_bench.suite.load import Suite
from dalr_bench.suite.names import check_names, name_fault
from dalr_bench.suite.tree import Node, text

MAX_SEED = 2**32
MAX_CELLS = 200_000
# Without `ablate` a suite has this one variant, the base as it is.
ONLY_VARIANT = "base"
NO_BASE = f"a suite needs a map `base` with {', '.join(BASE)}"


@dataclass(frozen=True, slots=True)
class Variant:
    """A named run of the suite before axes and seeds: patches over the base. A `free` one may equal the base: it was
    written as an empty diff, or generated."""

    name: str
    patches: tuple[Patch, ...]
    at: Node
    path: str
    free: bool = False
    support: bool = False

    @property
    def says_something(self) -> bool:
        """Whether a diff is left after its faulty parts were told and left out."""
        return any(patch.node.entries for patch in self.patches)


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `exclude`: a cell that matches every key is left out."""

    keys: Mapping[str, str]
    at: Node

    def matches(self, variant: str, axes: Mapping[str, str], seed: int) -> bool:
        """Values match as they are or as a glob."""
        cell = {**axes, "variant": variant, "seed": str(seed)}
        return all(
            key in cell and (cell[key] == wanted or fnmatch.fnmatchcase(cell[key], wanted))
            for key, wanted in self.keys.items()
        )


@dataclass(frozen=True)
class Document:
    """A suite, read."""

    base: Node
    variants: Mapping[str, Variant]
    axes: Sequence[Axis]
    combinations: Sequence[Combination]
    seeds: Mapping[int, Node | None]
    exclude: Sequence[Rule] = field(default_factory=tuple)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def shown(self) -> list[Variant]:
        """Variants that are rows; the others run only where a run needs them."""
        return [variant for variant in self.variants.values() if not variant.support]

    def excluded(self, variant: str, axes: Mapping[str, str], seed: int) -> bool:
        """Whether any rule leaves this cell out."""
        return any(rule.matches(variant, axes, seed) for rule in self.exclude)

    def excluded_for_all_seeds(self, variant: str, axes: Mapping[str, str]) -> bool:
        """Whether this combination is left out altogether: it may then be one that makes no sense."""
        return bool(self.exclude) and all(self.excluded(variant, axes, seed) for seed in self.seeds)


def read_document(suite: Suite, faults: Faults) -> Document:
    """Check and read all sections. Faults are collected; what is faulty is left out of the answer."""
    tree = suite.tree
    _check_head(tree, suite, faults)
    base = _base(tree, suite, faults)
    support, ablate = (check_names(tree.entries.get(key), key, faults) for key in ("support", "ablate"))
    for name in ablate.keys() & support.keys():
        faults.add("a variant of that name is in `support` already", f"ablate.{name}", ablate[name].named_at)
    named = {
        **{name: ("support", node) for name, node in support.items()},
        **{name: ("ablate", node) for name, node in ablate.items()},
    }
    diffs = Diffs(named, faults)
    variants = _variants(named, diffs, tree, faults)
    axes = read_axes(tree, diffs, faults)
    seeds = _seeds(tree, faults)
    count = len(variants) * len(seeds) * _count(axes)
    if count > MAX_CELLS:
        faults.add(f"the grid has {count} cells; at most {MAX_CELLS} are planned", "grid", tree.at)
        axes = []
    rules = _rules(tree, axes, faults)
    _check_expect(tree, variants, faults)
    # Generators told the faults of groups; without generators nobody takes them away.
    groups = {
        name: [str(item.value) for item in items]
        for name, items in (groups_of(tree, Faults()) if "generate" in tree.entries else {}).items()
    }
    return Document(base, variants, axes, combinations(axes), seeds, rules, groups)


def _check_head(tree: Node, suite: Suite, faults: Faults) -> None:
    for key in ("suite", "title"):
        node = tree.entries.get(key)
        if node is not None and not isinstance(node.value, str):
            faults.add("expected text", key, node.at)
    name = tree.entries.get("suite")
    if name is None:
        faults.add("a suite needs a name (`suite: NAME`)", "suite", tree.at)
    elif isinstance(name.value, str):
        wrong = name_fault(suite.name) or ("a name does not begin with a dot" if suite.name.startswith(".") else None)
        if wrong:
            faults.add(wrong, "suite", name.at)


def _base(tree: Node, suite: Suite, faults: Faults) -> Node:
    node = tree.entries.get("base")
    if node is None or not node.is_map:
        at = tree.at if node is None else node.at
        faults.add(NO_BASE, "base", at)
        return Node({}, at)
    for key, child in node.entries.items():
        if key not in BASE:
            faults.add(f"a run has no such section. {nearest(key, BASE)}", f"base.{key}", child.named_at)
    for section in SECTIONS:
        check_names(node.entries.get(section), section, faults, dots=False)
    return node


def _variants(named: Mapping[str, tuple[str, Node]], diffs: Diffs, tree: Node, faults: Faults) -> dict[str, Variant]:
    out = {
        name: Variant(name, diffs.patches(name), node, f"{section}.{name}", not node.value, section == "support")
        for name, (section, node) in named.items()
    }
    for made in generated(tree, named, faults):
        start = () if made.of is None or made.of not in out else out[made.of].patches
        out[made.name] = Variant(made.name, (*start, *made.patches), made.at, f"generate.{made.name}", free=True)
    if all(variant.support for variant in out.values()):
        out[ONLY_VARIANT] = Variant(ONLY_VARIANT, (), tree, "base", free=True)
    return out


def _seeds(tree: Node, faults: Faults) -> dict[int, Node | None]:
    node = tree.entries.get("seeds")
    if node is None:
        return {0: None}
    if not node.items:
        faults.add("expected a list of at least one seed, e.g. [0, 1, 2]", "seeds", node.at)
    out: dict[int, Node | None] = {}
    for position, item in enumerate(node.items):
        path = f"seeds.{position}"
        if type(item.value) is not int or not 0 <= item.value < MAX_SEED:
            got = "a list" if item.items else "a map" if item.is_map else text(item.value)
            faults.add(f"expected a whole number from 0 to {MAX_SEED - 1}, got {got}", path, item.at)
        elif item.value in out:
            faults.add(f"seed {item.value} is given twice", path, item.at)
        else:
            out[item.value] = item
    return out


def _count(axes: Sequence[Axis]) -> int:
    sizes = {axis.block: len(axis.values) for axis in axes}
    total = 1
    for size in sizes.values():
        total *= size
    return total


def _rules(tree: Node, axes: Sequence[Axis], faults: Faults) -> list[Rule]:
    node = tree.entries.get("exclude")
    if node is None:
        return []
    if not isinstance(node.value, list):
        faults.add("expected a list of maps {variant|seed|AXIS: value or glob}", "exclude", node.at)
    known = ("variant", "seed", *(axis.key for axis in axes))
    return [
        rule
        for position, item in enumerate(node.items)
        if (rule := _rule(item, f"exclude.{position}", known, faults)) is not None
    ]


def _rule(item: Node, path: str, known: Sequence[str], faults: Faults) -> Rule | None:
    if not item.entries:
        faults.add("expected a map {variant|seed|AXIS: value or glob}", path, item.at)
        return None
    sound = True
    for key, child in item.entries.items():
        if key not in known:
            faults.add(f"there is no such axis. {nearest(key, known)}", f"{path}.{key}", child.named_at)
            sound = False
        elif child.is_map or child.items:
            faults.add("expected a value or a glob", f"{path}.{key}", child.at)
            sound = False
    return Rule({key: text(child.value) for key, child in item.entries.items()}, item) if sound else None


def check_rules(document: Document, faults: Faults) -> None:
    """A rule that leaves nothing out is a typing error."""
    for position, rule in enumerate(document.exclude):
        cells = (
            (v.name, labels(c), seed) for v in document.shown for c in document.combinations for seed in document.seeds
        )
        if not any(rule.matches(*cell) for cell in cells):
            faults.add("no cell of the grid matches, so nothing is left out", f"exclude.{position}", rule.at.at)


def _check_expect(tree: Node, variants: Mapping[str, Variant], faults: Faults) -> None:
    for name, node in check_names(tree.entries.get("expect"), "expect", faults).items():
        if name not in variants:
            faults.add(f"no variant is called '{name}'. {nearest(name, variants)}", f"expect.{name}", node.named_at)
        if not node.is_map:
            faults.add("expected a map {task.metric: number}", f"expect.{name}", node.at)
        for key, child in node.entries.items():
            if key == "source" and isinstance(child.value, str):
                continue
            if isinstance(child.value, bool) or not isinstance(child.value, int | float):
                faults.add("expected the published number", f"expect.{name}.{key}", child.at)
