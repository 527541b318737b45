"""Named diffs: what a map with dotted keys means, how it is laid over a tree, and lists that compose others by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dalr_bench.errors import nearest
from dalr_bench.suite.faults import Faults
from dalr_bench.suite.keys import BASE
from dalr_bench.suite.load import is_path
from dalr_bench.suite.tree import Node, as_map, plain

SECTIONS = {"streams": "stream", "teachers": "teacher", "losses": "loss"}
Path = tuple[str, ...]
_MAX_CHAIN = 50


@dataclass(frozen=True, slots=True)
class Patch:
    """One diff, nested; `at` is where it stands in its list or under its name, `path` how it is called."""

    node: Node
    at: Node
    path: str


def patch_of(node: Node, path: str, faults: Faults) -> Patch:
    """A diff as written, with its dotted keys spelled out as nested maps."""
    root = Node({}, node.at, node.key_at)
    for key, child in node.entries.items():
        first = key.split(".")[0]
        if first not in BASE:
            faults.add(f"a run has no such section. {nearest(first, BASE)}", f"{path}.{key}", child.named_at)
        elif not is_path(key):
            faults.add("a dotted path has no empty parts, and not more than 20", f"{path}.{key}", child.named_at)
        else:
            _put(root, key.split("."), _nested(child, key.split("."), path, faults), path, faults)
    return Patch(root, node, path)


def _nested(node: Node, place: list[str], path: str, faults: Faults) -> Node:
    """Spell out dotted keys down to the names of options; below them dots belong to the keys."""
    if not node.is_map:
        return node
    if len(place) > (2 if place[0] in SECTIONS else 1):
        return Node(
            {key: _nested(child, [*place, key], path, faults) for key, child in node.entries.items()},
            node.at,
            node.key_at,
        )
    root = Node({}, node.at, node.key_at)
    for key, child in node.entries.items():
        parts = key.split(".")
        if is_path(key):
            _put(root, parts, _nested(child, place + parts, path, faults), path, faults)
        else:
            faults.add(
                "a dotted path has no empty parts, and not more than 20",
                f"{path}.{'.'.join(place)}.{key}",
                child.named_at,
            )
    return root


def _put(root: Node, parts: list[str], child: Node, path: str, faults: Faults) -> None:
    for part in parts[:-1]:
        root = root.entries.setdefault(part, Node({}, child.at, child.key_at))
        if not root.is_map:
            break
    old = root.entries.get(parts[-1])
    if old is None and root.is_map:
        root.entries[parts[-1]] = child
    elif old is not None and old.is_map and child.is_map:
        for key, inner in child.entries.items():
            _put(old, [key], inner, f"{path}.{'.'.join(parts)}", faults)
    else:
        first = (old or root).named_at
        faults.add(
            f"given twice in one diff, first at {first}; keep one of them", f"{path}.{'.'.join(parts)}", child.named_at
        )


def is_component(path: Path) -> bool:
    """Whether a path leads to an entry that has a `name`."""
    return path in (("backbone",), ("train", "dev")) or (len(path) == 2 and path[0] in SECTIONS)


@dataclass
class Overlay:
    """Lays patches over trees. Strict: what a diff changes must be there. Not strict (an axis of a grid): what a
    variant does not have is left alone, and remembered, so that a path no variant has can be told."""

    faults: Faults
    strict: bool = True
    landed: set[Path] = field(default_factory=set)
    skipped: dict[Path, Node] = field(default_factory=dict)

    def lay(self, tree: Node, patch: Patch) -> Node:
        """`patch` over `tree`; parts that do not change stay the very same nodes."""
        return self._over(tree, patch.node, (), patch.path)

    def _over(self, target: Node, patch: Node, path: Path, of: str) -> Node:
        entries = dict(target.entries)
        for key, child in patch.entries.items():
            here, old = (*path, key), entries.get(key)
            part_of_component = child.is_map and "name" not in child.entries and is_component(here)
            if old is None and (child.value is None or part_of_component):
                self._absent(here, child, target, of)
                continue
            self.landed.add(here)
            if child.value is None:
                del entries[key]
            elif (
                child.is_map
                and "name" not in child.entries
                and (old is None or old.is_map or isinstance(old.value, str))
            ):
                inner = Node({}, child.at, child.key_at) if old is None else as_map(old)
                entries[key] = self._over(inner, child, here, of) if old is not None or len(here) < 2 else child
            else:
                entries[key] = child
        return Node(entries, target.at, target.key_at)

    def _absent(self, path: Path, child: Node, target: Node, of: str) -> None:
        if not self.strict:
            self.skipped.setdefault(path, child)
            return
        what = f"there is no '{path[-1]}' to {'delete' if child.value is None else 'change'} here"
        advice = "" if child.value is None else "; give its `name` to add it"
        self.faults.add(
            f"{what}{advice}. {nearest(path[-1], target.entries)}", f"{of}.{'.'.join(path)}", child.named_at
        )


class Diffs:
    """The diffs of `support` and `ablate` by name, lists composed."""

    def __init__(self, named: Mapping[str, tuple[str, Node]], faults: Faults) -> None:
        self.named, self.faults = named, faults
        self._done: dict[str, tuple[Patch, ...]] = {}

    def patches(self, name: str, chain: tuple[str, ...] = ()) -> tuple[Patch, ...]:
        """What to lay over the base, in order, to get that variant."""
        if name not in self._done:
            section, node = self.named[name]
            self._done[name] = self.compose(node, f"{section}.{name}", (*chain, name))
        return self._done[name]

    def compose(self, node: Node, path: str, chain: tuple[str, ...] = ()) -> tuple[Patch, ...]:
        """A diff, or a list of diffs and names of diffs."""
        if node.is_map:
            return (patch_of(node, path, self.faults),)
        if node.value is None:
            return ()
        if not isinstance(node.value, list):
            self.faults.add("expected a diff (a map of dotted paths), or a list of names of diffs", path, node.at)
            return ()
        out: list[Patch] = []
        for position, item in enumerate(node.items):
            out += self._item(item, f"{path}.{position}", chain)
        return tuple(out)

    def _item(self, item: Node, path: str, chain: tuple[str, ...]) -> list[Patch]:
        if item.is_map:
            return [patch_of(item, path, self.faults)]
        if not isinstance(item.value, str) or item.value not in self.named:
            self.faults.add(
                f"no diff is called '{plain(item)}'. {nearest(str(plain(item)), self.named)}", path, item.at
            )
        elif item.value in chain or len(chain) > _MAX_CHAIN:
            self.faults.add(f"'{item.value}' is composed of itself, or too deeply", path, item.at)
        else:
            return [Patch(patch.node, item, path) for patch in self.patches(item.value, chain)]
        return []
