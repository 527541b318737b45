"""Variants made from named groups of losses: leave one out, add one in, add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dalr_bench.errors import nearest
from dalr_bench.suite.diffs import Patch
from dalr_bench.suite.faults import Faults
from dalr_bench.suite.names import check_known, check_names
from dalr_bench.suite.tree import Mark, Node

KINDS = ("leave-one-out", "add-one-in", "cumulative")
FULL, FLOOR = "full", "baseline"


@dataclass(frozen=True, slots=True)
class Generated:
    """A variant that is `of` (None: the base) without the losses of some groups."""

    name: str
    of: str | None
    patches: tuple[Patch, ...]
    at: Node


def groups_of(tree: Node, faults: Faults) -> dict[str, list[Node]]:
    """Group name → nodes that hold loss labels."""
    out: dict[str, list[Node]] = {}
    for name, node in check_names(tree.entries.get("groups"), "groups", faults).items():
        if not node.items or not all(isinstance(item.value, str) for item in node.items):
            faults.add("expected a list of labels of losses", f"groups.{name}", node.at)
        else:
            out[name] = node.items
    return out


def generated(tree: Node, variants: Mapping[str, object], faults: Faults) -> list[Generated]:
    """What `generate` asks for, e.g. `DALR -CML`, `baseline +CML`, `baseline +CML +IML`.

    `generate: [leave-one-out, {name: cumulative, of: DALR}]`; without `of` the start is the base, called `full`.
    """
    node = tree.entries.get("generate")
    if node is None:
        return []
    groups = groups_of(tree, faults)
    if not groups:
        faults.add("generators need `groups: {NAME: [loss, ...]}`", "generate", node.named_at)
    if not node.items:
        faults.add(f"expected a list of generators. {nearest('', KINDS)}", "generate", node.at)
    out: dict[str, Generated] = {}
    for position, item in enumerate(node.items):
        kind, of = _asked(item, f"generate.{position}", variants, faults)
        for name, kept in _members(kind, of or FULL, list(groups)):
            made = Generated(name, of, _without(groups, kept), item)
            known = out.setdefault(name, made)
            if name in variants or known.of != of:
                faults.add(
                    f"generates '{name}', and a variant of that name is there already", f"generate.{position}", item.at
                )
    return list(out.values())


def _asked(item: Node, path: str, variants: Mapping[str, object], faults: Faults) -> tuple[str, str | None]:
    kind, of = item.entries.get("name", item), item.entries.get("of")
    for key, child in item.entries.items():
        if key not in ("name", "of"):
            faults.add(f"a generator has no such key. {nearest(key, ('name', 'of'))}", f"{path}.{key}", child.named_at)
    if kind.value not in KINDS:
        name = kind.value if isinstance(kind.value, str) else ""
        faults.add(f"no generator is called '{name}'. {nearest(name, KINDS)}", path, kind.at)
        return "", None
    if of is not None and not check_known(of, variants, "variant", f"{path}.of", faults):
        return "", None
    return str(kind.value), None if of is None else str(of.value)


def _members(kind: str, start: str, groups: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Name and kept groups of each variant a generator makes."""
    if kind == "leave-one-out":
        return [(f"{start} -{left}", tuple(group for group in groups if group != left)) for left in groups]
    if kind == "add-one-in":
        return [(f"{FLOOR} +{group}", (group,)) for group in groups]
    if kind == "cumulative":
        return [
            (" ".join([FLOOR, *(f"+{group}" for group in groups[:count])]), tuple(groups[:count]))
            for count in range(1, len(groups) + 1)
        ]
    return []


def _without(groups: Mapping[str, Sequence[Node]], kept: Sequence[str]) -> tuple[Patch, ...]:
    """Deletions of the losses of all other groups; a loss that a kept group shares stays."""
    stay = {label.value for group in kept for label in groups[group]}
    gone: dict[str, Patch] = {}
    for group, labels in groups.items():
        for label in labels:
            if label.value not in stay:
                gone.setdefault(str(label.value), _deletion(label, f"groups.{group}"))
    return tuple(gone.values())


def _deletion(label: Node, path: str) -> Patch:
    at: Mark = label.at
    gone = Node({"losses": Node({str(label.value): Node(None, at, at)}, at, at)}, at)
    return Patch(gone, label, path)
