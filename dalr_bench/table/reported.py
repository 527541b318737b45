"""Published rows from a user's CSV: `row,task,metric,value,source` and, where known, `std` and `protocol`."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dalr_bench.errors import DataError, Fault, nearest, reason
from dalr_bench.table.model import Reported

_NEEDED = ("row", "task", "metric", "value", "source")


def read_reported(path: Path) -> list[Reported]:
    """The rows of one file, in its order; values as printed (×100). Raises DataError with the line of every fault."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(Fault(f"columns are missing: {', '.join(missing)}", file=str(path), line=1))
            lines = [(reader.line_num, line) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(Fault(f"cannot be read as CSV: {reason(error)}", file=str(path))) from None
    faults = [Fault(what, file=str(path), line=number) for number, line in lines for what in _faults(line)]
    if faults:
        raise DataError(faults)
    return _rows(line for _, line in lines)


@cache
def packaged() -> dict[str, Path]:
    """Name → file of the published rows that plugins carry: `reported/NAME.csv` beside their modules.

    A plugin's package is found and not imported. Of two files of one name the first plugin's counts.
    """
    out: dict[str, Path] = {}
    for entry in entry_points(group="dalr_bench"):
        spec = find_spec(entry.module.partition(".")[0])
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            for path in sorted(Path(folder, "reported").glob("*.csv")):
                out.setdefault(path.stem, path)
    return out


def find_reported(named: str) -> Path:
    """The file a user means: a path, or the name of packaged rows. Raises DataError for a name nothing has."""
    path = Path(named)
    if path.exists() or path.suffix or len(path.parts) != 1:
        return path
    if named not in packaged():
        known = nearest(named, packaged())
        raise DataError(f"--reported {named}: neither a file nor the name of packaged rows. {known}")
    return packaged()[named]


def from_expect(expect: Mapping[str, Mapping[str, Any]]) -> list[Reported]:
    """The published numbers a suite states itself, under `expect`; its key "source" says where they stand."""
    out = []
    for variant, values in expect.items():
        numbers = {key: float(value) for key, value in values.items() if _is_number(value)}
        out.append(Reported(variant, str(values.get("source", "the suite's `expect`")), numbers))
    return [row for row in out if row.values]


def _rows(lines: Iterable[Mapping[str, str]]) -> list[Reported]:
    grouped: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for line in lines:
        grouped.setdefault((line["row"], line["source"]), []).append(line)
    return [_row(name, source, found) for (name, source), found in grouped.items()]


def _row(name: str, source: str, lines: list[Mapping[str, str]]) -> Reported:
    named = {f"{line['task']}.{line['metric']}": line for line in lines}
    return Reported(
        name,
        source,
        values={key: float(line["value"]) for key, line in named.items()},
        stds={key: float(line["std"]) for key, line in named.items() if line.get("std")},
        protocols={key: line["protocol"] for key, line in named.items() if line.get("protocol")},
    )


def _faults(line: Mapping[str, str]) -> list[str]:
    out = [f"`{name}` is empty" for name in ("row", "task", "metric", "source") if not line[name].strip()]
    for name in ("value", "std"):
        text = line.get(name) or ""
        if (text or name == "value") and not _is_number(_parsed(text)):
            out.append(f"`{name}` must be a number, got {text!r}")
    return out


def _parsed(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
