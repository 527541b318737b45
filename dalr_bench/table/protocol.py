"""How the numbers of a column were made. A column whose rows were scored in two ways is refused unless told otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dalr_bench.errors import Fault, SuiteError
from dalr_bench.table.model import Column

Found = Mapping[str, Mapping[str, Sequence[str]]]  # column name → protocol → names of the rows scored that way


def check(columns: Sequence[Column], found: Found, mix: bool) -> None:
    """Raises SuiteError with a line for every column that mixes protocols, saying what differs and in which rows."""
    faults = [
        Fault(_complaint(found[column.name]), path=column.name) for column in columns if len(found[column.name]) > 1
    ]
    if faults and not mix:
        raise SuiteError(faults)


def captions(columns: Sequence[Column], found: Found) -> list[tuple[list[str], str]]:
    """(column labels, protocol), columns of one protocol together; where a column mixes, its rows are named."""
    together: dict[str, list[str]] = {}
    for column in columns:
        ways = found[column.name]
        for protocol, rows in ways.items():
            if protocol or len(ways) > 1:
                text = (protocol or "protocol not stated") + (f" (rows {', '.join(rows)})" if len(ways) > 1 else "")
                together.setdefault(text, []).append(column.label)
    return [(labels, text) for text, labels in together.items()]


def _complaint(ways: Mapping[str, Sequence[str]]) -> str:
    told = " and ".join(f"'{protocol}' (rows {', '.join(rows)})" for protocol, rows in ways.items())
    parts = [_parts(protocol) for protocol in ways]
    common = set(parts[0]).intersection(*parts[1:])
    differing = " against ".join("; ".join(p for p in each if p not in common) or "nothing stated" for each in parts)
    return f"two protocols in one column: {told}; they differ in: {differing}. --mix-protocols prints them all the same"


def _parts(protocol: str) -> list[str]:
    return [part.strip() for part in re.split(r"[,;]", protocol) if part.strip()]
