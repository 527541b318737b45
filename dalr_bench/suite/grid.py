"""From a suite to its runs: every cell of variants, axes and seeds, the runs they need, equal ones made one."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from dalr_bench.errors import DataError, nearest
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.suite.axes import labels
from dalr_bench.suite.cell import Cell, CellReader, Entry
from dalr_bench.suite.contributions import Contribution, contributions
from dalr_bench.suite.document import Document, check_rules, read_document
from dalr_bench.suite.faults import Faults
from dalr_bench.suite.identity import Identities
from dalr_bench.suite.load import Suite
from dalr_bench.suite.names import slug
from dalr_bench.suite.needs import Key, Needs
from dalr_bench.suite.parts import Parts
from dalr_bench.suite.plan import Place, Plan
from dalr_bench.suite.tree import Mark
from dalr_bench.suite.trees import Trees
from dalr_bench.types import Run

SCHEMA = 1
_HEX_DIGITS = 10


def expand(suite: Suite, catalogue: Catalogue, only: Sequence[str] = (), seeds: Sequence[int] = ()) -> Plan:
    """Every run of a suite. `only` are globs of variants and `seeds` some of the suite's; what those need comes along.

    Raises SuiteError, PluginError (unknown components only) or DataError (missing data only), all faults at once.
    """
    grid = Grid(suite, catalogue)
    grid.check()
    chosen = grid.chosen(only, seeds)
    grid.check_data(chosen)
    grid.faults.raise_any()
    return grid.plan(chosen)


@dataclass
class Grid:
    """A suite read against a catalogue; `explain` looks into it, `expand` makes a plan of it."""

    suite: Suite
    catalogue: Catalogue

    def __post_init__(self) -> None:
        self.faults = Faults(self.suite.faults)
        self.document: Document = read_document(self.suite, self.faults)
        reader = CellReader(Parts(self.catalogue), self.document, self.faults)
        self.trees = Trees(self.document, reader, self.faults)
        self.needs = Needs(self.document, self.trees, self.faults)
        self.identities = Identities(self.needs)

    # ------------------------------------------------------------ checking
    def check(self) -> None:
        """Tell the faults of every cell that is not left out, chosen or not, and of all it needs."""
        for variant in self.document.shown:
            for combination in self.document.combinations:
                if self.document.excluded_for_all_seeds(variant.name, labels(combination)):
                    continue
                # Cells that need nothing look alike for every seed.
                for seed in self.document.seeds if self.trees.cell(variant.name, combination).needs else ():
                    self.needs.check((variant.name, combination, seed))
        for variant in self.document.variants.values():
            if variant.support and self.document.combinations:
                # Whatever needs it or not; the other combinations are looked at where a run needs them.
                self.trees.cell(variant.name, self.document.combinations[0])
        if not self.suite.smoke:
            # A smoke overlay may flatten differences the suite itself has.
            self.trees.check_changes()
            check_rules(self.document, self.faults)

    def chosen(self, only: Sequence[str], seeds: Sequence[int]) -> list[Key]:
        """The cells asked for, in the order of the suite."""
        names = [variant.name for variant in self.document.shown]
        for glob in only:
            if not any(_fits(name, glob) for name in names):
                self.faults.add(f"no variant matches '{glob}'. {nearest(glob, names)}", "", Mark("--only"))
        for seed in seeds:
            if seed not in self.document.seeds:
                known = nearest(str(seed), map(str, self.document.seeds))
                self.faults.add(f"the suite has no seed {seed}. {known}", "", Mark("--seed"))
        return [
            (name, combination, seed)
            for name in names
            if not only or any(_fits(name, glob) for glob in only)
            for combination in self.document.combinations
            for seed in self.document.seeds
            if (not seeds or seed in seeds) and not self.document.excluded(name, labels(combination), seed)
        ]

    def check_data(self, keys: Sequence[Key]) -> None:
        """Tell what data of these cells, and of all they need, is missing or cannot be read."""
        cells = dict.fromkeys((name, combination) for name, combination, _ in self.needs.closure(keys))
        for name, combination in cells:
            self._check_data(self.trees.cell(name, combination))

    def _check_data(self, cell: Cell) -> None:
        for entry in cell.entries:
            entry.part.tell(self.faults, entry.path, entry.node, ("data",))
            if not entry.part.problems:
                try:
                    _ = entry.part.digest
                except DataError as error:
                    option = next((option for option, place in entry.part.paths.items() if place is not None), "")
                    for fault in error.faults:
                        what = f"'{fault.file}' {fault.what}" if fault.file else fault.what
                        self.faults.add(what, f"{entry.path}.{option}".rstrip("."), entry.at(option), "data")

    # ------------------------------------------------------------ planning
    def plan(self, chosen: Sequence[Key]) -> Plan:
        """The plan of these cells. Nothing may be at fault any more."""
        runs: dict[str, Run] = {}
        self._entries: dict[str, tuple[Entry, ...]] = {}
        for key in chosen:
            self._add(key, runs)
        seen: set[str] = set()
        cells = []
        for name, combination, seed in chosen:
            identity = self.identities.of((name, combination, seed))
            cells.append(Place(name, labels(combination), seed, runs[identity].id, identity in seen))
            seen.add(identity)
        return Plan(
            suite=self.suite,
            runs=tuple(runs.values()),
            cells=tuple(cells),
            variants=tuple(variant.name for variant in self.document.shown),
            support=tuple(variant.name for variant in self.document.variants.values() if variant.support),
            floors=tuple(variant.name for variant in self.document.shown if self._is_floor(variant.name)),
            axes={axis.key: [value.label for value in axis.values] for axis in self.document.axes},
            seeds=tuple(self.document.seeds),
            identities={run.id: identity for identity, run in runs.items()},
            contributions=self._contributions(),
            entries=self._entries,
        )

    def _contributions(self) -> tuple[Contribution, ...]:
        patches = {name: variant.patches for name, variant in self.document.variants.items()}
        shown = [variant.name for variant in self.document.shown]
        return tuple(contributions(patches, self.document.groups, shown))

    def _is_floor(self, name: str) -> bool:
        """A row that is never trained."""
        cells = [self.trees.cell(name, combination) for combination in self.document.combinations]
        return all("train" in cell.single and cell.single["train"].part.config.get("steps") == 0 for cell in cells)

    def _add(self, key: Key, runs: dict[str, Run]) -> Run:
        """The run of a cell, after those it needs."""
        identity = self.identities.of(key)
        if identity in runs:
            return runs[identity]
        name, combination, seed = named = self.identities.named(key)
        needed = [
            {"variant": need.variant, "seed": wanted[2], "run_id": self._add(wanted, runs).id}
            for need, wanted in self.needs.of(named)
        ]
        axes = labels(combination)
        cell = self.trees.cell(name, combination)
        config = {
            "schema": SCHEMA,
            "suite": self.suite.name,
            "variant": name,
            "axes": axes,
            "seed": seed,
            **cell.config,
            "needs": needed,
        }
        ids = tuple(dict.fromkeys(str(item["run_id"]) for item in needed))
        called = run_id(name, self._telling(named), seed, identity)
        runs[identity] = Run(called, self.suite.name, name, axes, seed, config, ids)
        self._entries[called] = cell.entries
        return runs[identity]

    def _telling(self, key: Key) -> dict[str, str]:
        """The axes to name a run by: none where every combination comes to the same run."""
        name, combination, seed = key
        others = ((name, other, seed) for other in self.document.combinations)
        known = (self.identities.possible(other) for other in others)
        same = all(identity in (None, self.identities.of(key)) for identity in known)
        return {} if same else labels(combination)


def run_id(variant: str, axes: dict[str, str], seed: int, identity: str) -> str:
    """A name one can read, and enough of the hash to tell runs apart."""
    readable = slug(" ".join([variant, *(f"{key.split('.')[-1]}={label}" for key, label in axes.items())]))
    return f"{readable}-s{seed}-{identity[:_HEX_DIGITS]}"


def _fits(name: str, glob: str) -> bool:
    return name == glob or fnmatch.fnmatchcase(name, glob)
