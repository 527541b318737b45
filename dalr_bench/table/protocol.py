"""How the numbers of a column were made. Rows scored in two ways share no column, unless the reader says so.

A score's protocol is `how it was scored | facts of the encoder`, facts parted by `; `. Encoders may differ from row
to row (that is what an ablation is); the way of scoring may not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dalr_bench.errors import Fault, SuiteError
from dalr_bench.table.model import Column
from dalr_bench.table.notes import clean

_ENCODER = " | "
Found = Mapping[str, Mapping[str, Sequence[str]]]  # column name → protocol → names of the rows scored that way


def scoring(protocol: str) -> str:
    """The part of a protocol that rows of one column must share."""
    return clean(protocol.partition(_ENCODER)[0])


def shared_facts(protocols: Sequence[str]) -> str:
    """The facts that all encoders of a table share, for its caption; empty where there are none."""
    told = [clean(protocol.partition(_ENCODER)[2]) for protocol in dict.fromkeys(protocols)]
    if not told:
        return ""
    rest = [set(_parts(each)) for each in told[1:]]
    return "; ".join(fact for fact in _parts(told[0]) if all(fact in facts for facts in rest))


def check(columns: Sequence[Column], found: Found, mix: bool) -> None:
    """Raises SuiteError with a line for every column that mixes protocols, saying what differs and in which rows."""
    mixed = [column.name for column in columns if len(found[column.name]) > 1]
    faults = [Fault(_complaint(found[name]), path=name) for name in mixed]
    if faults and not mix:
        raise SuiteError(faults)


def captions(columns: Sequence[Column], found: Found) -> list[tuple[list[str], str]]:
    """(column names, protocol), columns of one protocol together; where a column mixes, its rows are named."""
    together: dict[str, list[str]] = {}
    for column in columns:
        ways = found[column.name]
        for protocol, rows in ways.items():
            if protocol or len(ways) > 1:
                text = (protocol or "protocol not stated") + (f" (rows {', '.join(rows)})" if len(ways) > 1 else "")
                together.setdefault(text, []).append(column.name)
    return [(labels, text) for text, labels in together.items()]


def _complaint(ways: Mapping[str, Sequence[str]]) -> str:
    told = " and ".join(f"'{protocol}' (rows {', '.join(rows)})" for protocol, rows in ways.items())
    parts = [_parts(protocol) for protocol in ways]
    common = set(parts[0]).intersection(*parts[1:])
    differing = " against ".join("; ".join(p for p in each if p not in common) or "nothing stated" for each in parts)
    return f"two protocols in one column: {told}; they differ in: {differing}. --mix-protocols prints them all the same"


def _parts(protocol: str) -> list[str]:
    return [part.strip() for part in re.split(r"[,;]", protocol) if part.strip()]
