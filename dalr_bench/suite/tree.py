"""A suite's document as a tree that remembers where every value was written. Trees are never changed, only rebuilt."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any

# These entries are replaced as a whole by an extending file or an overlay: an axis keeps none of its old values.
WHOLE = frozenset({"grid", "groups"})


@dataclass(frozen=True, slots=True)
class Mark:
    """Where something was written: a file with line and column (from 1), or a command line option (line 0)."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return show(":".join(str(part) for part in (self.file, self.line, self.column) if part))


@dataclass(slots=True, eq=False)
class Node:
    """A scalar, a list of nodes or a map of nodes. `key_at` is where the key stands that names it in its map.

    Nodes compare by identity: trees that share a subtree share the very node, and what is known of it.
    """

    value: Any
    at: Mark
    key_at: Mark | None = None

    @property
    def is_map(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def entries(self) -> dict[str, Node]:
        """Children by key; empty where this is no map."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """Children in order; empty where this is no list."""
        return self.value if isinstance(self.value, list) else []

    @property
    def named_at(self) -> Mark:
        """The key's place, else the value's."""
        return self.key_at or self.at


def plain(node: Node) -> Any:
    """The value without positions."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def canonical(value: Any) -> str:
    """One text per JSON value: sorted keys, no spaces. Raises ValueError for NaN and infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def as_map(node: Node) -> Node:
    """A component written as a bare name, as the map it stands for."""
    if isinstance(node.value, str):
        return Node({"name": Node(node.value, node.at)}, node.at, node.key_at)
    return node


def digest(content: str) -> str:
    """sha256 in hex."""
    return hashlib.sha256(content.encode()).hexdigest()


def find(node: Node, path: list[str]) -> Node:
    """The node at `path`, or the last one on the way to it."""
    for segment in path:
        if segment in node.entries:
            node = node.entries[segment]
        elif segment.isdigit() and int(segment) < len(node.items):
            node = node.items[int(segment)]
        else:
            break
    return node


def merge(target: Node, patch: Node, path: tuple[str, ...] = ()) -> Node:
    """`patch` over `target`: maps deeply, lists and scalars replaced, null deletes. Another `name` is another part."""
    entries = dict(target.entries)
    for key, child in patch.entries.items():
        old = entries.get(key)
        if old is None:
            entries[key] = child
        elif child.value is None:
            del entries[key]
        elif _mergeable(old, child, (*path, key)):
            entries[key] = merge(as_map(old), child, (*path, key))
        else:
            entries[key] = child
    return Node(entries, target.at, target.key_at)


def _mergeable(old: Node, child: Node, path: tuple[str, ...]) -> bool:
    if not child.is_map or (len(path) == 2 and path[0] in WHOLE):
        return False
    if isinstance(old.value, str):
        return "name" not in child.entries
    if "name" in child.entries and "name" in old.entries:
        return bool(old.is_map and child.entries["name"].value == old.entries["name"].value)
    return old.is_map


def replaced(tree: Node, path: str, value: Node) -> Node:
    """`tree` with the value at a dotted path set (null deletes); a key that holds dots is found as it is written."""
    if not path:
        return value
    key, rest = _split(tree, path)
    entries = dict(tree.entries)
    old = entries.get(key)
    if not rest and value.value is None:
        entries.pop(key, None)
    else:
        inner = as_map(old) if old is not None and rest else Node({}, value.at, value.at)
        entries[key] = replaced(inner, rest, value) if rest else Node(value.value, value.at, value.at)
    return Node(entries, tree.at, tree.key_at)


def _split(tree: Node, path: str) -> tuple[str, str]:
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        key = ".".join(parts[:count])
        if key in tree.entries:
            return key, ".".join(parts[count:])
    return parts[0], ".".join(parts[1:])


def folder_of(mark: Mark) -> str:
    """The folder of the file a value was written in; the current one for a command line option."""
    return os.path.dirname(os.path.abspath(mark.file)) if mark.line else os.getcwd()


def show(name: str) -> str:
    """A name as it may be printed: control characters and direction marks are escaped."""
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")


def text(value: Any) -> str:
    """A value as a label: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
