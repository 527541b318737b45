"""Runs that wait for others: what a config says it needs, and what failed there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dalr_bench.errors import DataError
from dalr_bench.record.record import Record
from dalr_bench.record.retention import told_needs
from dalr_bench.record.store import read_config
from dalr_bench.record.summary import Place, place_from_json


def needs(folder: Path) -> list[Place]:
    """The runs that a run is trained after, as its config names them."""
    try:
        return [place_from_json(item) for item in read_config(folder).get("needs", ())]
    except (DataError, TypeError, ValueError):
        return []  # not written yet, or damaged: its own state says so


class Blockers:
    """The failed runs that keep others of one results folder from being started."""

    def __init__(self, folder: Path, records: Mapping[str, Record]) -> None:
        self._folder = folder
        self._records = records
        failed = {run for run, record in records.items() if record.status == "failed"}
        wanted = told_needs(folder)
        # Without a failure that others need no config is opened: there may be ten thousand.
        self._failed = failed if wanted is None else failed & wanted

    def of(self, run: str) -> tuple[str, ...]:
        """The failed runs that `run` cannot be trained without, those behind its teachers too; () where there are none."""
        found: dict[str, None] = {}
        waiting, seen = [run] if self._failed else [], {run}
        while waiting:
            fresh = [each.run_id for each in needs(self._folder / waiting.pop()) if each.run_id not in seen]
            seen.update(fresh)
            found |= dict.fromkeys(each for each in fresh if each in self._failed)
            waiting += [each for each in fresh if each not in self._records]
        return tuple(found)


def told(blockers: Sequence[str]) -> str:
    """`blocked by teacher-s0, which failed`: for people."""
    return f"blocked by {' and '.join(blockers)}, which failed"
