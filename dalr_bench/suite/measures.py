"""What runs of each shape took: from records made on this device, and from probes kept in the cache folder."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from dalr_bench.cache import cache_root
from dalr_bench.record.environment import ran_on
from dalr_bench.record.files import load_json, write_json
from dalr_bench.record.record import Record
from dalr_bench.record.store import read_record
from dalr_bench.suite.tree import canonical, digest

Source = Literal["recorded", "probe", "model"]
PROBES = "probes"
# Records of other suites are looked at for shapes this suite has none of; more would cost more than they tell.
_MOST_STRANGE_RECORDS = 1000


@dataclass(frozen=True)
class Measure:
    """One shape: seconds a run needs before its first step, a step, a dev check, scoring, and for all else; bytes.

    None where it was not measured. `steps`: how many such a run had, which for `epochs` only the data tells.
    """

    prepare: float
    step: float | None
    check: float | None
    score: float
    rest: float = 0.0
    memory: int | None = None
    disk: int | None = None
    steps: int | None = None
    source: Source = "recorded"

    def seconds(self, steps: int, checks: int) -> float | None:
        """Seconds of a run of so many steps and dev checks; None where a part of it was not measured."""
        if (steps and self.step is None) or (checks and self.check is None):
            return None
        return self.prepare + steps * (self.step or 0.0) + checks * (self.check or 0.0) + self.score + self.rest


def of_record(record: Record, folder: Path | None = None) -> Measure:
    """What one finished run took."""
    steps, curve, seconds = record.extra.get("steps"), record.extra.get("dev_curve"), record.seconds
    steps = steps if isinstance(steps, int) else 0
    checks = len(curve) if isinstance(curve, list | tuple) else 0
    scored = sum(value for part, value in seconds.items() if part.startswith("score."))
    parts = seconds.get("prepare", 0.0) + seconds.get("train", 0.0) + seconds.get("dev", 0.0) + scored
    spent = record.extra.get("bytes")
    peak = spent.get("peak") if isinstance(spent, dict) else None
    return Measure(
        prepare=seconds.get("prepare", 0.0),
        step=seconds.get("train", 0.0) / steps if steps else None,
        check=seconds.get("dev", 0.0) / checks if checks else None,
        score=scored,
        rest=max(0.0, seconds.get("total", parts) - parts),
        memory=peak if isinstance(peak, int) else None,
        disk=None if folder is None else size_of(folder),
        steps=steps,
    )


def typical(found: Iterable[Measure]) -> Measure:
    """The median of each part: a run that was disturbed says little."""
    every = list(found)

    def middle(name: str) -> Any:
        values = [value for each in every if (value := getattr(each, name)) is not None]
        return statistics.median(values) if values else None

    numbers = {field.name: middle(field.name) for field in fields(Measure) if field.name != "source"}
    whole = {name: None if numbers[name] is None else int(numbers[name]) for name in ("memory", "disk", "steps")}
    return Measure(**{**numbers, **whole}, source=every[0].source)


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(
        os.lstat(os.path.join(inside, name)).st_size for inside, _, names in os.walk(folder) for name in names
    )


# ------------------------------------------------------------------ from records
def recorded(
    folders: Iterable[Path], shape: Callable[[Path, Record], str | None], device: Mapping[str, Any]
) -> dict[str, list[Measure]]:
    """Measures by shape of the finished runs in these folders that ran on such a device. Copies of runs say nothing."""
    found: dict[str, list[Measure]] = {}
    for folder in folders:
        record = read_record(folder)
        if record is None or record.status != "done" or not record.seconds or "origin" in record.extra:
            continue
        known = shape(folder, record) if ran_on(record.environment, device) else None
        if isinstance(known, str):
            found.setdefault(known, []).append(of_record(record, folder))
    return found


def strange_folders(results: Path, own: Path) -> list[Path]:
    """Run folders of the other suites under one results folder, the newest first, not too many."""
    if not results.is_dir():
        return []
    suites = [path for path in results.iterdir() if path.is_dir() and path != own and not path.name.startswith(".")]
    suites.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    folders: list[Path] = []
    for suite in suites:
        with os.scandir(suite) as entries:
            folders += [Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
        if len(folders) >= _MOST_STRANGE_RECORDS:
            break
    return folders[:_MOST_STRANGE_RECORDS]


# ------------------------------------------------------------------ from probes
def keep_probe(device: Mapping[str, Any], shape: str, measure: Measure) -> None:
    """File what a probe measured, for this device."""
    write_json(_probe(device, shape), asdict(measure))


def probed(device: Mapping[str, Any], shape: str) -> Measure | None:
    """What a probe measured of this shape on a device like this one; None where none did."""
    try:
        return Measure(**{**load_json(_probe(device, shape)), "source": "probe"})
    except (OSError, ValueError, TypeError):
        return None


def _probe(device: Mapping[str, Any], shape: str) -> Path:
    return cache_root() / PROBES / digest(canonical(json.loads(json.dumps(device))))[:16] / f"{shape}.json"
