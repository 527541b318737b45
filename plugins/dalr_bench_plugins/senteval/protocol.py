"""How a score came to be, as one line that tables print and refuse to mix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dalr_bench import Subject

# Who was scored is the row's name, not its protocol.
_IDENTITY = frozenset({"model", "name", "revision", "path", "weights"})


def signature(kind: str, subject: Subject, facts: Mapping[str, Any]) -> str:
    """`kind; fact=value; ... | fact=value; ...`: how it was scored, which the rows of a column must share, then what
    the encoder was (pooling, length, precision, versions), which an ablation may vary.
    """
    encoder = {key: value for key, value in subject.protocol.items() if key not in _IDENTITY}
    scoring, encoding = ([f"{key}={_text(value)}" for key, value in found.items()] for found in (facts, encoder))
    return "; ".join([kind, *scoring]) + (f" | {'; '.join(encoding)}" if encoding else "")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
