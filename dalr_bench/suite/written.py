"""A suite as one text: what it extends, overlays and `--set` merged in. Read again, it is the same suite."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

# Keys that YAML reads as the text they are; all others are quoted.
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_NOT_TEXT = frozenset({"null", "true", "false", "nan", "inf"})


def written(document: Mapping[str, Any], heading: str = "") -> str:
    """YAML: maps as blocks, what holds no further map on one line. Scalars are JSON's, so no reader can take a text for
    a number. Raises ValueError for a number JSON has not (NaN, infinity)."""
    head = "".join(f"# {line}\n" for line in heading.splitlines())
    return head + "\n".join(_block(document, "")) + "\n"


def _block(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, child in value.items():
        named = f"{indent}{_key(key)}:"
        if isinstance(child, dict) and child and not _flat(child):
            yield named
            yield from _block(child, f"{indent}  ")
        else:
            yield f"{named} {json.dumps(child, ensure_ascii=False, allow_nan=False)}"


def _flat(value: Mapping[str, Any]) -> bool:
    return "name" in value or not any(isinstance(child, dict) for child in value.values())


def _key(key: str) -> str:
    plain = _PLAIN_KEY.fullmatch(key) is not None and key.lower() not in _NOT_TEXT
    return key if plain else json.dumps(key, ensure_ascii=False)
