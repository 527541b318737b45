"""Which names a suite may give: they end up in folders, tables and terminals."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from dalr_bench.errors import nearest
from dalr_bench.suite.faults import Faults
from dalr_bench.suite.tree import Node, show

_MAX_LENGTH = 120
_MAX_SLUG = 80


def name_fault(name: str) -> str | None:
    """What is wrong with a name; None where it is fine."""
    if not name or name != name.strip():
        return "a name is not empty and has no blanks at its ends"
    if len(name) > _MAX_LENGTH:
        return f"a name of {len(name)} characters is too long; at most {_MAX_LENGTH}"
    odd = next((char for char in name if unicodedata.category(char)[0] == "C"), None)
    if odd is not None:
        return f"a name holds no control characters or direction marks, and this one has {show(odd)}"
    if "/" in name or "\\" in name or ".." in name:
        return "a name holds no path separators and no '..'"
    return None


def check_names(node: Node | None, path: str, faults: Faults, dots: bool = True) -> Mapping[str, Node]:
    """The entries of a map whose keys are names; faults where it is none, or where a name is unfit."""
    if node is None:
        return {}
    if not node.is_map:
        faults.add("expected a map of names", path, node.at)
    for key, child in node.entries.items():
        wrong = name_fault(key) or (
            None if dots or "." not in key else "a label has no dots; they separate the steps of a path"
        )
        if wrong:
            faults.add(wrong, f"{path}.{key}", child.named_at)
    return node.entries


def check_known(node: Node, known: Mapping[str, object], what: str, path: str, faults: Faults) -> bool:
    """Whether a text node names one of `known`."""
    if isinstance(node.value, str) and node.value in known:
        return True
    faults.add(f"no {what} is called '{node.value}'. {nearest(str(node.value), known)}", path, node.at)
    return False


def slug(name: str) -> str:
    """A name as a part of a folder's name: ASCII letters, digits and `+-._=`."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    fit = re.sub(r"[^A-Za-z0-9+._=-]+", "_", ascii_only).strip("_")
    return fit[:_MAX_SLUG].lstrip("-.") or "run"
