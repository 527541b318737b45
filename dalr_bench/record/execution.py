"""How one attempt at a run is carried out: settings beside `config.json` that decide no number and no identity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dalr_bench.config import EXECUTION
from dalr_bench.errors import DataError, Fault, nearest
from dalr_bench.record.files import load_json, write_json

EXECUTION_FILE = "execution.json"
# Told of an attempt by itself: how many processes shared it, and how they held its weights. No setting of the next one.
TOLD = frozenset({"processes", "shard"})


def write_execution(folder: str | Path, **settings: Any) -> None:
    """Set these keys for the next attempt (an executor's retry after memory ran out: `micro_batch=16`); others stay."""
    place = Path(folder)
    write_json(place / EXECUTION_FILE, {**read_execution(place), **settings})


def read_execution(folder: str | Path) -> dict[str, Any]:
    """The settings of the next attempt, which take the place of those in `config.json`'s `train`; none without the file.

    Raises DataError for a file that is no object of known keys.
    """
    path = Path(folder) / EXECUTION_FILE
    try:
        found = load_json(path)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DataError(Fault(str(error), file=str(path))) from None
    if not isinstance(found, dict):
        raise DataError(Fault("execution settings are an object", file=str(path)))
    for key in found:
        if key not in EXECUTION | TOLD:
            raise DataError(Fault(f"there is no such setting. {nearest(key, EXECUTION | TOLD)}", file=str(path), path=key))
    return found


def executed(config: Mapping[str, Any], folder: str | Path) -> dict[str, Any]:
    """A run's config with the settings of this attempt."""
    found = {key: value for key, value in read_execution(folder).items() if key not in TOLD}
    return {**config, "train": {**config["train"], **found}}


def tell_processes(folder: str | Path, processes: int, shard: str | None = None) -> None:
    """Say on how many processes this attempt runs; a folder that never saw more than one says nothing."""
    said = {"processes": processes, "shard": shard}
    known = read_execution(folder)
    before = {"processes": known.get("processes", 1), "shard": known.get("shard")}
    if before != said:
        write_execution(folder, **said)
