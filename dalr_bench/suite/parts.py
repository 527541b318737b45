"""Components of a cell, validated once however many cells hold them: options against the registered signature."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from dalr_bench.config import EXECUTION, LATER, LossOptions, TrainOptions
from dalr_bench.errors import RenamedWarning, nearest
from dalr_bench.plugin.registry import Catalogue, Component, references
from dalr_bench.suite.faults import FaultKind, Faults
from dalr_bench.suite.fingerprint import fingerprint
from dalr_bench.suite.models import beside, local_models, model_content, reads_models
from dalr_bench.suite.tree import Node, as_map, canonical, digest, find, folder_of, plain
from dalr_bench.types import DataFile, Part, Ref

PartKind = Literal["backbone", "source", "teacher", "loss", "evaluator"]
_CORE = ("weight", "on")
# What a dev check may look at: choosing a checkpoint by a test split would make the test a training set.
_SELECTABLE = ("dev", "train")


@dataclass
class PartOf:
    """One entry resolved: `config` as a run holds it, and what is wrong with it, by option path."""

    config: dict[str, Any]
    component: Component | None = None
    problems: list[tuple[str, str, FaultKind]] = field(default_factory=list)
    refs: list[tuple[str, Ref, str]] = field(default_factory=list)
    paths: dict[str, Any] = field(default_factory=dict)
    uncounted: frozenset[str] = frozenset()

    @property
    def sound(self) -> bool:
        """Whether it can be built, as far as its options tell."""
        return not any(kind != "data" for _, _, kind in self.problems)

    @cached_property
    def text(self) -> str:
        """What the config asks for as one text: equal texts compute the same."""
        return canonical(self._deciding)

    @property
    def _deciding(self) -> dict[str, Any]:
        return {key: value for key, value in self.config.items() if key not in self.uncounted}

    @property
    def counted(self) -> dict[str, Any]:
        """What counts toward a run's identity: data and models that are files by content and not by path, the distribution the
        part came from.
        Of a variant only that one is named: the identity of the run it means counts in its place. How a step is
        carried out does not count (`uncounted`).

        Raises DataError where data is missing.
        """
        runs = {option: "a run" for option, ref, _ in self.refs if ref.section == "variants"}
        told = self._told
        data = {option: _by_content(value) for option, value in self.paths.items() if option not in told}
        models = {option: model_content(name) for option, name in self.models.items()}
        options = {**self.config.get("options", {}), **data, **models, **runs, **told}
        origin = {} if self.component is None else {"from": f"{self.component.distribution} {self.component.version}"}
        return {**self._deciding, "options": options, **origin}

    @property
    def _told(self) -> Mapping[str, Any]:
        """Options that count by what the component's static method `identity(options)` says of them, and what it says."""
        tell = None if self.component is None else getattr(self.component.factory, "identity", None)
        return {} if tell is None or not self.sound else dict(tell(self.config.get("options", {})))

    @cached_property
    def models(self) -> Mapping[str, str]:
        """Options that name a model on this machine, and what they name: its files count, not its name."""
        return local_models(self.component, self.config.get("options", {}))

    @cached_property
    def digest(self) -> str:
        """Hash of `counted`. Raises DataError where data is missing."""
        return digest(canonical(self.counted))

    def tell(self, faults: Faults, path: str, node: Node, kinds: tuple[FaultKind, ...]) -> None:
        """Add the problems of these kinds, each where its value stands."""
        for inner, what, kind in self.problems:
            if kind in kinds:
                at = find(as_map(node), inner.split("."))
                faults.add(
                    what, f"{path}.{inner}" if inner else path, at.named_at if "no such" in what else at.at, kind
                )


def _by_content(value: Any) -> Any:
    if isinstance(value, list):
        return [_by_content(item) for item in value]
    if isinstance(value, dict):
        return {key: _by_content(item) for key, item in value.items()}
    return value if value is None else fingerprint(value)


class Parts:
    """Resolves entries against a catalogue; remembers by node and by content, so equal entries are read once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._by_node: dict[tuple[str, int], tuple[Node, PartOf]] = {}
        self._by_text: dict[tuple[str, ...], PartOf] = {}

    def part(self, kind: PartKind | Literal["train"], node: Node) -> PartOf:
        """The entry at `node`. Never raises for a user's mistake: `problems` hold it."""
        known = self._by_node.get((kind, id(node)))
        if known is None:
            # The node is kept beside its part: an id means nothing once its node is gone.
            known = self._by_node[kind, id(node)] = (node, self._equal(kind, node))
        return known[1]

    def _equal(self, kind: PartKind | Literal["train"], node: Node) -> PartOf:
        value = plain(node)
        key = (kind, canonical(value), *self._folders(kind, node))
        if key not in self._by_text:
            if kind == "train":
                self._by_text[key] = _train(value)
            else:
                self._by_text[key] = self._resolved(kind, value, node)
        return self._by_text[key]

    def _folders(self, kind: str, node: Node) -> list[str]:
        """Where paths to data were written: the same text means another file in another folder."""
        name = as_map(node).entries.get("name")
        modern = self.catalogue.modern(kind, Part(str(name.value)))[0].name if name is not None else ""
        found = self.catalogue.components.get((kind, modern))
        marked = (
            []
            if found is None
            else [option for option, marker in found.markers.items() if isinstance(marker, DataFile)]
        )
        marked += [] if found is None or not reads_models(found) else _texts(as_map(node))
        places = [_written(found, option, node) for option in marked] if found else []
        return [folder_of(place.at) for place in places if place is not None]

    def _resolved(self, kind: PartKind, value: Any, node: Node) -> PartOf:
        entry = {"name": value} if isinstance(value, str) else value
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            return _unnamed(kind, entry)
        core = {key: entry[key] for key in _CORE if key in entry} if kind == "loss" else {}
        options = {key: item for key, item in entry.items() if key != "name" and key not in core}
        modern, told = self.catalogue.modern(kind, Part(entry["name"], options))
        _warn(told, as_map(node))
        filled, found = self.catalogue.validate(kind, modern)
        component = self.catalogue.components.get((kind, modern.name))
        problems: list[tuple[str, str, FaultKind]] = [
            (path, what, "suite" if component else "plugin") for path, what in found
        ]
        fixed, more = _validated(LossOptions, core) if kind == "loss" else ({}, [])
        part = PartOf({"name": modern.name, **fixed, "options": filled}, component, problems + more)
        if component is not None and part.sound:
            part.refs = references(component, filled)
            _find_data(part, component, as_map(node))
            _find_models(part, component, as_map(node))
            if kind == "evaluator":
                _look_for_data(part, component)
        return part


def _written(component: Component, option: str, node: Node) -> Node | None:
    """Where an option stands, by today's name or an old one."""
    names = [option, *(old for old, renamed in component.was.items() if renamed.new == option)]
    return next((node.entries[name] for name in names if name in node.entries), None)


def _warn(told: Sequence[tuple[str, str]], node: Node) -> None:
    """Old names, each where it stands."""
    for name, what in told:
        at = node.entries[name].at if name in node.entries else node.at
        warnings.warn(f"{at} {what}", RenamedWarning, stacklevel=2)


def _unnamed(kind: PartKind, entry: Any) -> PartOf:
    where, what = "", f"expected the name of the {kind}, or a map with `name` and its options"
    if isinstance(entry, dict):
        where = "name" if "name" in entry else ""
        what = f"expected the name of the {kind}" if where else f"`name` is missing: which {kind} is it?"
    return PartOf({"name": "", "options": {}}, problems=[(where, what, "suite")])


def _find_data(part: PartOf, component: Component, node: Node) -> None:
    """Replace each path to data by the file or folder it means, and remember which options those are."""
    for option, marker in component.markers.items():
        if isinstance(marker, DataFile):
            place = _written(component, option, node)
            where = os.getcwd() if place is None else folder_of(place.at)
            found = _placed(part.config["options"][option], where, part.problems, option)
            part.paths[option] = part.config["options"][option] = found


def _placed(value: Any, folder: str, problems: list[tuple[str, str, FaultKind]], path: str) -> Any:
    if isinstance(value, list):
        return [_placed(item, folder, problems, f"{path}.{index}") for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _placed(item, folder, problems, f"{path}.{key}") for key, item in value.items()}
    if value is None:
        return None
    tried = list(dict.fromkeys(os.path.abspath(os.path.join(base, value)) for base in _bases(folder)))
    found = next((place for place in tried if os.path.exists(place)), None) if "\0" not in value else None
    if found is None:
        problems.append((path, f"there is no file or folder '{value}'; looked for {', '.join(tried)}", "data"))
    return found or tried[0]


def _find_models(part: PartOf, component: Component, node: Node) -> None:
    """A model is a name of the hub or a folder; a folder beside the suite is found from wherever the command is given."""
    for option, value in part.config["options"].items() if reads_models(component) else ():
        place = _written(component, option, node)
        if place is not None and isinstance(value, str) and option not in part.paths:
            part.config["options"][option] = beside(value, folder_of(place.at))


def _texts(node: Node) -> list[str]:
    return [option for option, child in node.entries.items() if isinstance(child.value, str)]


def _look_for_data(part: PartOf, component: Component) -> None:
    """Scoring comes last: an evaluator that finds nothing of what it says it reads is told of before anything is trained.
    One that finds some of it scores that."""
    try:
        wanted = list(getattr(component.factory, "requires", lambda options: ())(part.config["options"]))
    except Exception:  # its own bug: `prefetch` and `plugins check` tell it
        return
    data = [one for one in wanted if one.kind == "data"]
    if part.sound and data and not any(os.path.exists(one.name) for one in data):
        more = ", ..." if len(data) > 2 else ""
        named = ", ".join(one.name for one in data[:2])
        how = f"; {data[0].how}" if data[0].how else ""
        part.problems.append(("", f"nothing to score on: there is no {named}{more}{how}", "data"))


def _bases(folder: str) -> list[str]:
    return [base for base in (folder, os.environ.get("DALR_BENCH_DATA"), os.getcwd()) if base]


def _train(value: Any) -> PartOf:
    """The `train` section without its `dev`, which is a part of its own."""
    if not isinstance(value, dict):
        return PartOf({}, problems=[("", "expected a map (steps, batch, lr, ...)", "suite")])
    config, problems = _validated(TrainOptions, {key: item for key, item in value.items() if key != "dev"})
    if config.get("steps") is not None and config.get("epochs") is not None:
        # Each where it stands: they may come from two files.
        what = "give either `steps` or `epochs`; `null` takes one away"
        problems = [each for each in problems if each[0]] + [(key, what, "suite") for key in ("steps", "epochs")]
    unchanged = {key for key, value in LATER.items() if config.get(key) == value}
    return PartOf(config, problems=problems, uncounted=EXECUTION | unchanged)


def _validated(
    model: type[BaseModel], values: dict[str, Any]
) -> tuple[dict[str, Any], list[tuple[str, str, FaultKind]]]:
    try:
        return model.model_validate(values).model_dump(mode="json"), []
    except ValidationError as error:
        return dict(values), [_problem(model, item) for item in error.errors()]


def _problem(model: type[BaseModel], item: Mapping[str, Any]) -> tuple[str, str, FaultKind]:
    path = ".".join(map(str, item["loc"]))
    if item["type"] == "extra_forbidden":
        return path, f"there is no such key here. {nearest(path, model.model_fields)}", "suite"
    message = item["msg"].removeprefix("Value error, ")
    return path, message if item["type"] in ("missing", "value_error") else f"{message}, got {item['input']!r}", "suite"


def dev_fault(part: PartOf) -> str | None:
    """Why this evaluator may not choose a checkpoint; None where it may."""
    split = part.config["options"].get("split")
    if split is None or split in _SELECTABLE:
        return None
    return f"a checkpoint is never chosen on the '{split}' split; expected `split: dev` (or train)"
