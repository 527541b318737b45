"""Run folders: `begin` one, `finish` it, read its record or see what state it is in."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from dalr_bench.errors import DataError, Fault
from dalr_bench.record.files import load_json, write_json
from dalr_bench.record.record import Record, scores_to_json
from dalr_bench.types import Score

RECORD, CONFIG, SCORES, RUNNING = "record.json", "config.json", "scores.json", "running.json"
State = Literal["done", "running", "failed", "damaged", "interrupted", "missing"]


def begin(folder: str | Path, config: Mapping[str, Any]) -> None:
    """Open a run folder: an older record goes, `config.json` and the mark of a running process are written."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / RECORD).unlink(missing_ok=True)
    write_json(place / CONFIG, dict(config))
    write_json(place / RUNNING, {"pid": os.getpid(), "host": socket.gethostname(), "started": time.time()})


def finish(folder: str | Path, record: Record) -> None:
    """Close a run folder: `scores.json`, then `record.json` as the last file; the mark of the running process goes."""
    place = Path(folder)
    document = record.to_json()
    write_json(place / SCORES, {"scores": document["scores"]})
    write_json(place / RECORD, document)
    (place / RUNNING).unlink(missing_ok=True)


def write_scores(folder: str | Path, scores: Sequence[Score]) -> None:
    """`scores.json` alone, for scores that are known before the run ends."""
    write_json(Path(folder) / SCORES, {"scores": scores_to_json(scores)})


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
    """What a run folder shows, from its files alone. A mark whose process is gone means the run was interrupted."""
    found = record or read_record(folder)
    if found is not None:
        return found.status
    mark = Path(folder) / RUNNING
    if _alive(mark):
        return "running"
    # A config alone is a run that waits for its turn: `run` writes all of them before it starts the first.
    return "interrupted" if mark.exists() else "missing"


def _alive(mark: Path) -> bool:
    try:
        document = load_json(mark)
        host, pid = document["host"], int(document["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if host != socket.gethostname():
        return True  # another machine's process cannot be asked; its mark is believed
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it exists and belongs to somebody else
    return True
