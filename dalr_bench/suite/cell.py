"""One cell of the grid before its seed: its parts, what they refer to, and the config a run holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from dalr_bench.errors import nearest
from dalr_bench.suite.diffs import SECTIONS
from dalr_bench.suite.document import NO_BASE, Document
from dalr_bench.suite.faults import Faults
from dalr_bench.suite.parts import PartKind, PartOf, Parts, dev_fault
from dalr_bench.suite.tree import Mark, Node, canonical, digest, find

_KINDS: dict[str, PartKind] = {"streams": "source", "teachers": "teacher", "losses": "loss"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A part at its place in a cell: `path` as a user writes it."""

    path: str
    part: PartOf
    node: Node

    def at(self, option: str) -> Mark:
        """Where an option stands, else the entry."""
        return find(self.node, [option]).at


@dataclass(frozen=True, slots=True)
class Need:
    """A variant that a part of this cell needs to be trained first; `seed` None: the asking run's seed."""

    entry: Entry
    option: str
    variant: str
    seed: int | None


@dataclass
class Cell:
    """Everything of a run but its seed. `single` holds backbone and train; teachers nothing refers to are left out."""

    single: Mapping[str, Entry]
    streams: Mapping[str, Entry]
    teachers: Mapping[str, Entry]
    losses: Mapping[str, Entry]
    dev: Entry | None
    evaluate: tuple[Entry, ...]
    broken: bool = False
    known: Mapping[str, Mapping[str, Entry]] = field(default_factory=dict)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """All parts, in the order of a config."""
        last = () if self.dev is None else (self.dev,)
        singles = [(self.single[key],) if key in self.single else () for key in ("backbone", "train")]
        inner = (*self.streams.values(), *self.teachers.values(), *self.losses.values())
        return (*singles[0], *inner, *singles[1], *last, *self.evaluate)

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """What must be trained before this cell."""
        return tuple(_needs(self))

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config without suite, variant, axes and seed. Teachers and losses are sorted by label, so that
        the order in which a suite names them decides nothing; streams keep theirs: epochs count the first."""
        train = {} if "train" not in self.single else {**self.single["train"].part.config}
        return {
            "backbone": self.single["backbone"].part.config if "backbone" in self.single else {},
            **{
                name: {label: entry.part.config for label, entry in section.items()}
                for name, section in self._sections()
            },
            "train": {**train, "dev": None if self.dev is None else self.dev.part.config},
            "evaluate": [entry.part.config for entry in self.evaluate],
        }

    @cached_property
    def signature(self) -> str:
        """Equal texts are equal configs."""
        return "\n".join(f"{entry.path} {entry.part.text}" for entry in self.entries)

    @cached_property
    def digest(self) -> str:
        """Hash of what counts toward identity, but needed runs and the seed. Raises DataError where data is missing."""
        return digest(canonical([[entry.path, entry.part.digest] for entry in self.entries]))

    def _sections(self) -> tuple[tuple[str, Mapping[str, Entry]], ...]:
        return ("streams", self.streams), ("teachers", self.teachers), ("losses", self.losses)


class CellReader:
    """Makes cells of trees, and tells what is wrong with them."""

    def __init__(self, parts: Parts, document: Document, faults: Faults) -> None:
        self.parts, self.faults = parts, faults
        self.base, self.variants = document.base, document.variants

    def read(self, tree: Node) -> Cell:
        """The cell of one tree, without a word about its faults."""
        entries = tree.entries
        single = {}
        if "backbone" in entries:
            single["backbone"] = Entry(
                "backbone", self.parts.part("backbone", entries["backbone"]), entries["backbone"]
            )
        if "train" in entries:
            single["train"] = Entry("train", self.parts.part("train", entries["train"]), entries["train"])
        sections = {name: self._section(name, tree) for name in SECTIONS}
        dev = find(tree, ["train", "dev"]) if "dev" in find(tree, ["train"]).entries and "train" in entries else None
        evaluate = tuple(
            Entry(f"evaluate.{position}", self.parts.part("evaluator", item), item)
            for position, item in enumerate(entries["evaluate"].items if "evaluate" in entries else [])
        )
        checked = (
            None if dev is None or dev.value is None else Entry("train.dev", self.parts.part("evaluator", dev), dev)
        )
        losses = dict(sorted(sections["losses"].items()))
        bare = Cell(single, sections["streams"], {}, losses, checked, evaluate, known=sections)
        used = _used(bare)
        teachers = {label: entry for label, entry in sorted(sections["teachers"].items()) if label in used}
        return replace(bare, teachers=teachers)

    def _section(self, name: str, tree: Node) -> dict[str, Entry]:
        node = tree.entries.get(name)
        items = node.entries.items() if node is not None else ()
        return {label: Entry(f"{name}.{label}", self.parts.part(_KINDS[name], child), child) for label, child in items}

    def tell(self, tree: Node, cell: Cell, variant: str) -> None:
        """Add this cell's faults but those of missing data; afterwards `cell.broken` says whether it can be run.

        `variant` is named in a complaint where the base has what this variant lacks.
        """
        self._shape(tree, cell)
        for entry in cell.entries:
            entry.part.tell(self.faults, entry.path, entry.node, ("suite", "plugin"))
            cell.broken = cell.broken or not entry.part.sound
        for label, entry in cell.known["teachers"].items():
            if label not in cell.teachers:
                entry.part.tell(self.faults, entry.path, entry.node, ("suite",))
        for entry in cell.entries:
            self._references(entry, cell, variant)
        self._circles(cell)
        if cell.dev is not None and cell.dev.part.sound and (wrong := dev_fault(cell.dev.part)) is not None:
            self.faults.add(wrong, "train.dev", cell.dev.at("split"))
            cell.broken = True

    def _shape(self, tree: Node, cell: Cell) -> None:
        if not tree.entries:
            self.faults.add(NO_BASE, "base", tree.at)
            cell.broken = True
            return
        for name in ("backbone", "streams", "losses", "train"):
            node = tree.entries.get(name)
            if name == "losses" and "train" in cell.single and cell.single["train"].part.config.get("steps") == 0:
                continue  # a floor row: nothing is trained
            if node is None:
                self.faults.add(f"a run needs `{name}`", name, tree.at)
                cell.broken = True
            elif name in SECTIONS and not node.entries:
                self.faults.add(
                    f"a run needs at least one {SECTIONS[name]}: a map {{label: {{name: ...}}}}", name, node.at
                )
                cell.broken = True
        teachers = tree.entries.get("teachers")
        if teachers is not None and not teachers.is_map:
            self.faults.add("expected a map {label: {name: ...}}", "teachers", teachers.at)
        evaluate = tree.entries.get("evaluate")
        if evaluate is not None and not isinstance(evaluate.value, list):
            self.faults.add("expected a list of evaluators", "evaluate", evaluate.at)
            cell.broken = True

    def _references(self, entry: Entry, cell: Cell, variant: str) -> None:
        refs = [(option, ref.section, name) for option, ref, name in entry.part.refs]
        if entry.path.startswith("losses.") and isinstance(entry.part.config.get("on"), list) and entry.part.sound:
            refs += [("on", "streams", name) for name in entry.part.config["on"]]
        for option, section, name in refs:
            known: Mapping[str, object] = self.variants if section == "variants" else cell.known[section]
            if name not in known:
                noun = "variant" if section == "variants" else SECTIONS[section]
                lost = section != "variants" and name in find(self.base, [section]).entries
                where = f"in variant '{variant}' " if lost else ""
                self.faults.add(
                    f"{where}no {noun} is called '{name}'. {nearest(name, known)}",
                    f"{entry.path}.{option}",
                    entry.at(option),
                )
                cell.broken = True

    def _circles(self, cell: Cell) -> None:
        """Tell a blend that is made of itself, directly or through others: the rest when all others are taken."""
        left = {
            label: [name for _, ref, name in entry.part.refs if ref.section == "teachers"]
            for label, entry in cell.teachers.items()
        }
        while ready := [label for label, inner in left.items() if not any(name in left for name in inner)]:
            for label in ready:
                del left[label]
        for label in list(left)[:1]:
            entry = cell.teachers[label]
            self.faults.add(f"made of itself, in the end: {', '.join(left)}", entry.path, entry.node.at)
            cell.broken = True


def _used(cell: Cell) -> set[str]:
    """Teachers that anything refers to, directly or through another teacher."""
    used: set[str] = set()
    asked = [name for entry in cell.entries for _, ref, name in entry.part.refs if ref.section == "teachers"]
    while asked:
        label = asked.pop()
        if label not in used and label in cell.known["teachers"]:
            used.add(label)
            asked += [name for _, ref, name in cell.known["teachers"][label].part.refs if ref.section == "teachers"]
    return used


def _needs(cell: Cell) -> Iterator[Need]:
    for entry in cell.entries:
        for option, ref, name in entry.part.refs:
            if ref.section == "variants":
                seed = entry.part.config["options"].get("seed")
                yield Need(entry, option, name, seed if type(seed) is int else None)
