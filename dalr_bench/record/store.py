"""Run folders: `begin` one, `finish` it, read its record or see what state it is in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from dalr_bench.errors import DataError, Fault
from dalr_bench.orphans import sweep
from dalr_bench.record.events import EVENTS, tell_event
from dalr_bench.record.files import load_json, write_json
from dalr_bench.record.form import fault_of
from dalr_bench.record.lease import holder, is_abandoned
from dalr_bench.record.record import Record

RECORD, CONFIG, SCORES = "record.json", "config.json", "scores.json"
# What a run writes: folders by name, files by the ends of theirs.
_FOLDERS, _SUFFIXES = ("model", "predictions", "checkpoints"), (".json", ".jsonl", ".safetensors", ".parquet")
State = Literal["done", "running", "stale", "failed", "damaged", "interrupted", "missing"]


def claim(folder: str | Path) -> None:
    """Before anything is written: links inside a run folder go, for where they lead is not ours to write.

    Raises DataError where the folder itself is a link or no folder, or a folder in it stands in a file's place or a
    file in a folder's.
    """
    place = Path(folder)
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        raise DataError(Fault("a run needs a folder of its own here; move what is there", file=str(place)))
    for inner, folders, files in os.walk(place):
        for name in (*folders, *files):
            path = Path(inner, name)
            if path.is_symlink():
                path.unlink()
            elif path.suffix in _SUFFIXES if name in folders else name in _FOLDERS:
                raise DataError(Fault("a folder and a file have changed places here; move it away", file=str(path)))


def begin(folder: str | Path, config: Mapping[str, Any]) -> None:
    """Open a run folder for its lease's holder: an older record goes, what killed processes left goes, `config.json` is written."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    sweep(place)
    for old in (RECORD, "error.txt"):
        (place / old).unlink(missing_ok=True)
    write_json(place / CONFIG, dict(config))
    tell_event(place, "started")


def finish(folder: str | Path, record: Record) -> None:
    """Close a run folder: `scores.json`, then `record.json` as the last file; then the event."""
    place = Path(folder)
    document = record.to_json()
    write_json(place / SCORES, {"scores": document["scores"]})
    write_json(place / RECORD, document)
    with suppress(OSError):  # the record is there, and it is what counts
        tell_event(place, record.status, **({"error": record.error} if record.error else {}))


def read_config(folder: str | Path) -> dict[str, Any]:
    """The resolved config of a run. Raises DataError where it is missing or damaged."""
    path = Path(folder) / CONFIG
    try:
        document = load_json(path)
    except FileNotFoundError:
        raise DataError(Fault("this run has no config.json", file=str(path))) from None
    except ValueError as error:
        raise DataError(Fault(str(error), file=str(path))) from None
    if not isinstance(document, dict):
        raise DataError(Fault("a config is an object", file=str(path)))
    if (what := fault_of(document)) is not None:
        raise DataError(Fault(what, file=str(path)))
    return document


def read_record(folder: str | Path) -> Record | None:
    """The record of a run; None where there is none. One that cannot be understood has the status "damaged"."""
    try:
        return Record.from_json(load_json(Path(folder) / RECORD))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        return Record(run_id=Path(folder).name, suite="", variant="", seed=0, status="damaged", error=reason)


def state(folder: str | Path, record: Record | None = None) -> State:
    """What a run folder shows, from its files alone.

    Without a record: `running` by a process that lives, `stale` where its holder is gone without a word (killed, a power
    cut), `interrupted` where it was asked to leave; a config alone is a run that waits for its turn, `missing`.
    """
    found = record or read_record(folder)
    if found is not None:
        return found.status
    if holder(folder) is not None:
        return "running"
    if is_abandoned(folder):
        return "stale"
    return "interrupted" if (Path(folder) / EVENTS).exists() else "missing"
