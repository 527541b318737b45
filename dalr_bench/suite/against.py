"""Why two runs differ: what counts toward one's identity and not toward the other's, value by value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dalr_bench.suite.explain import Explanation

_NAMES = ("schema", "suite", "variant", "axes", "identity", "shape", "estimate")
ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Difference:
    """One value of two runs. `counts`: whether it is why their identities differ."""

    path: str
    a: Any
    b: Any
    counts: bool = True

    def to_json(self) -> dict[str, Any]:
        """One entry of the document; a value that is absent is null, and `absent` says where."""
        absent = [name for name, value in (("a", self.a), ("b", self.b)) if value == ABSENT]
        shown = {name: None if name in absent else value for name, value in (("a", self.a), ("b", self.b))}
        return {"path": self.path, **shown, "absent": absent, "counts": self.counts}


def against(a: Explanation, b: Explanation) -> list[Difference]:
    """All that differs between two cells of a suite: values, content behind equal names, components, needed runs."""
    first, second = ({line.path: line for line in each.lines} for each in (a, b))
    found = []
    for path in dict.fromkeys([*first, *second]):
        one, two = first.get(path), second.get(path)
        left, right = (ABSENT if line is None else line.value for line in (one, two))
        if left != right:
            found.append(Difference(path, left, right, "no" not in [line.counts for line in (one, two) if line]))
    found += list(_maps("component of ", a.components, b.components))
    found += list(_maps("needs ", a.needs, b.needs))
    return found


def folders_against(a: Mapping[str, Any], b: Mapping[str, Any], uncounted: frozenset[str]) -> list[Difference]:
    """The same for the configs of two run folders, whose paths do not say what was in the files."""
    first, second = dict(_flat(a)), dict(_flat(b))
    found = []
    for path in dict.fromkeys([*first, *second]):
        one, two = first.get(path, ABSENT), second.get(path, ABSENT)
        if one != two:
            counts = path.split(".")[0] not in _NAMES and path.removeprefix("train.") not in uncounted
            found.append(Difference(path, one, two, counts))
    return found


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else None
    if items is None or not value:
        yield path, value
        return
    for key, inner in items:
        if not path and key in ("identity", "shape", "estimate"):
            continue
        yield from _flat(inner, f"{path}.{key}" if path else str(key))


def _maps(kind: str, a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[Difference]:
    for key in dict.fromkeys([*a, *b]):
        if a.get(key) != b.get(key):
            yield Difference(f"{kind}{key}", a.get(key, ABSENT), b.get(key, ABSENT))
