"""A suite's file, what it extends, and what the command line lays over it: one tree with the origin of every value."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dalr_bench.errors import Fault, SuiteError, nearest
from dalr_bench.suite.faults import fault_at
from dalr_bench.suite.keys import BASE, TOP
from dalr_bench.suite.read import MAX_BYTES, read
from dalr_bench.suite.tree import Mark, Node, merge, plain, replaced

_MAX_EXTENDS = 20
_MAX_PARTS = 20


@dataclass(frozen=True)
class Suite:
    """A suite as written, with all it extends and every overlay merged in. `faults` are told by `expand`."""

    name: str
    title: str
    file: str
    tree: Node
    smoke: bool = False
    faults: tuple[Fault, ...] = ()

    @property
    def expect(self) -> dict[str, Any]:
        """Published numbers: {variant: {task.metric: number}}."""
        node = self.tree.entries.get("expect")
        found = plain(node) if node is not None else {}
        return found if isinstance(found, dict) else {}


def load(path: str | Path, overrides: Sequence[str] = (), smoke: bool = False) -> Suite:
    """Read a suite. `overrides` are `PATH=VALUE` texts of `--set`; `smoke` lays the suite's own `smoke` over it.

    Raises SuiteError where a file is missing, is not YAML, or `extends` runs in a circle. What the suite says wrongly
    is told by `expand`, together with what is wrong in its components.
    """
    tree, faults = _extended(str(path), (), Mark(str(path)))
    overlay = tree.entries.get("smoke")
    rest = Node({key: child for key, child in tree.entries.items() if key != "smoke"}, tree.at)
    if overlay is not None and not overlay.is_map:
        faults.append(fault_at("expected a map that is laid over the suite", "smoke", overlay.at))
    elif smoke and overlay is None:
        faults.append(fault_at("`--smoke` asks for the suite's `smoke` overlay, and it has none", "", Mark(str(path))))
    elif overlay is not None:
        # The overlay's keys are checked in any case; its values only where they are used.
        faults += _unknown(overlay, "smoke.")
        rest = merge(rest, overlay) if smoke else rest
    for override in overrides:
        rest = _overridden(rest, override, faults)
    name, title = _text(rest, "suite"), _text(rest, "title")
    return Suite(name or Path(path).stem, title, str(path), rest, smoke, tuple(faults))


def _text(tree: Node, key: str) -> str:
    value = tree.entries[key].value if key in tree.entries else ""
    return value if isinstance(value, str) else ""


def _extended(path: str, chain: tuple[str, ...], asked_at: Mark) -> tuple[Node, list[Fault]]:
    """One file over the files it extends, and their faults."""
    key = "extends" if chain else ""
    content = _content(path, key, asked_at)  # says first what no path can be
    real = os.path.realpath(path)
    if real in chain or len(chain) >= _MAX_EXTENDS:
        what = f"'{path}' extends itself, in the end; a suite can only extend another one"
        raise SuiteError(fault_at(what, key, asked_at))
    tree, faults = read(content, path)
    if not tree.is_map:
        raise SuiteError(fault_at("a suite is a map (`suite: NAME`, `base: ...`)", "", tree.at))
    parent = tree.entries.get("extends")
    own = Node({key: child for key, child in tree.entries.items() if key != "extends"}, tree.at)
    if parent is None or not isinstance(parent.value, str):
        if parent is not None:
            faults.append(fault_at("expected the path of a suite", "extends", parent.at))
        return own, faults + _unknown(own)
    inherited, more = _extended(
        os.path.normpath(os.path.join(os.path.dirname(path), parent.value)), (*chain, real), parent.at
    )
    return merge(inherited, own), more + faults + _unknown(own)


def _content(path: str, key: str, asked_at: Mark) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        what = f"there is no file '{path}'" if key else "there is no such file"
    except (OSError, ValueError) as error:
        what = f"'{path}' cannot be read: {getattr(error, 'strerror', None) or error}"
    raise SuiteError(fault_at(what, key, asked_at))


def _unknown(tree: Node, prefix: str = "") -> list[Fault]:
    return [
        fault_at(f"a suite has no such key. {nearest(key, TOP)}", f"{prefix}{key}", child.named_at)
        for key, child in tree.entries.items()
        if key not in TOP or (prefix and key in ("suite", "extends", "smoke"))
    ]


def is_path(text: str) -> bool:
    """Whether a dotted text can be a path into a suite."""
    return all(text.split(".")) and text.count(".") < _MAX_PARTS


def _overridden(tree: Node, override: str, faults: list[Fault]) -> Node:
    """`--set PATH=VALUE`: a path from the top of the document, or from `base`."""
    path, equals, raw = override.partition("=")
    first, mark = path.split(".")[0], Mark("--set")
    if not equals or not is_path(path):
        faults.append(fault_at(f"'{override}' is not PATH=VALUE, e.g. train.steps=100", "", mark))
    elif first not in (*TOP, *BASE) or first in ("suite", "extends", "smoke"):
        known = (*(key for key in TOP if key not in ("suite", "extends", "smoke")), *BASE)
        faults.append(fault_at(f"no such place in a suite. {nearest(first, known)}", path, mark))
    else:
        try:
            value, more = read((raw or "null").encode("utf-8", "replace"), "--set", located=False)
        except SuiteError as error:
            faults += [fault_at(fault.what, path, mark) for fault in error.faults]
            return tree
        faults += [fault_at(fault.what, f"{path}.{fault.path}".strip("."), mark) for fault in more]
        return replaced(tree, f"base.{path}" if first in BASE else path, Node(value.value, mark, mark))
    return tree
