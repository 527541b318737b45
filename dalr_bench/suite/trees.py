"""The tree of every cell, built step by step and shared: base, a variant's patches, then one axis after another."""

from __future__ import annotations

from dalr_bench.errors import nearest
from dalr_bench.suite.axes import Axis, Combination, Row, labels
from dalr_bench.suite.cell import Cell, CellReader
from dalr_bench.suite.diffs import Overlay, Path
from dalr_bench.suite.document import Document, Variant
from dalr_bench.suite.faults import Faults
from dalr_bench.suite.tree import Node, canonical, find, plain


class Trees:
    """Trees and cells by (variant, combination); each is made once."""

    def __init__(self, document: Document, reader: CellReader, faults: Faults) -> None:
        self.document, self.reader, self.faults = document, reader, faults
        self.strict = Overlay(faults)
        self.lenient = Overlay(faults, strict=False)
        self._variants: dict[str, Node] = {}
        self._trees: dict[tuple[str, Combination], Node] = {}
        self._cells: dict[tuple[str, Combination], Cell] = {}

    def variant(self, name: str) -> Node:
        """The base with a variant's diffs on it."""
        if name not in self._variants:
            tree = self.document.base
            for patch in self.document.variants[name].patches:
                tree = self.strict.lay(tree, patch)
            self._variants[name] = tree
        return self._variants[name]

    def tree(self, name: str, combination: Combination) -> Node:
        """The same with the values of some axes on it."""
        if not combination:
            return self.variant(name)
        key = (name, combination)
        if key not in self._trees:
            self._trees[key] = self._with_row(self.tree(name, combination[:-1]), combination[-1])
        return self._trees[key]

    def _with_row(self, tree: Node, row: Row) -> Node:
        for value in row:
            for patch in value.patches:
                tree = self.lenient.lay(tree, patch)
        return tree

    def cell(self, name: str, combination: Combination) -> Cell:
        """The cell, its faults told."""
        key = (name, combination)
        if key not in self._cells:
            tree = self.tree(name, combination)
            self._cells[key] = cell = self.reader.read(tree)
            self.reader.tell(tree, cell, name)
        return self._cells[key]

    # ------------------------------------------------------------ changes that change nothing
    def check_changes(self) -> None:
        """Tell diffs, steps of a diff, axes and paths that change no run."""
        for variant in self.document.variants.values():
            self._check_steps(variant)
        shown = [variant for variant in self.document.shown if variant.says_something and not variant.free]
        for variant in shown:
            if not any(self._differs(variant.name, combination) for combination in self.document.combinations):
                self.faults.add(
                    "this diff changes nothing: every run of it equals the base", variant.path, variant.at.named_at
                )
        for axis in self.document.axes:
            every = ((v.name, c) for v in self.document.shown for c in self.document.combinations)
            if not any(self._matters(axis, name, combination) for name, combination in every):
                self.faults.add("this axis changes nothing: no run depends on its value", axis.key, axis.at.named_at)
        self._check_paths()

    def _check_steps(self, variant: Variant) -> None:
        """Each diff of a list is laid over what those before it made; one without effect there is a slip."""
        tree = self.document.base
        for patch in variant.patches if len(variant.patches) > 1 else ():
            after = Overlay(Faults()).lay(tree, patch)
            if patch.node.entries and canonical(plain(after)) == canonical(plain(tree)):
                self.faults.add("this diff changes nothing after those before it", patch.path, patch.at.at)
            tree = after

    def _differs(self, name: str, combination: Combination) -> bool:
        base = self.document.base
        for row in combination:
            base = self._with_row(base, row)
        return self.reader.read(base).signature != self.cell(name, combination).signature

    def _matters(self, axis: Axis, name: str, combination: Combination) -> bool:
        """Whether this axis's value shows in a cell: against the cell without it."""
        if self.document.excluded_for_all_seeds(name, labels(combination)):
            return False
        without = tuple(tuple(value for value in row if value.axis != axis.key) for row in combination)
        tree = self.variant(name)
        for row in without:
            tree = self._with_row(tree, row)
        return self.reader.read(tree).signature != self.cell(name, combination).signature

    def _check_paths(self) -> None:
        skipped: dict[Path, Node] = self.lenient.skipped
        for path, node in skipped.items():
            if path not in self.lenient.landed:
                known = {key for v in self.document.variants for key in find(self.variant(v), [*path[:-1]]).entries}
                what = f"no variant has '{path[-1]}' here. {nearest(path[-1], known)}"
                self.faults.add(what, ".".join(path), node.named_at)
