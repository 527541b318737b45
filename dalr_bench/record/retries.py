"""`retries.json` of a run folder: tries that failed and are tried again. What the next one does otherwise is in `execution.json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dalr_bench.errors import DataError
from dalr_bench.record.execution import read_execution, write_execution
from dalr_bench.record.files import load_json, write_json

FILE = "retries.json"
CARRIED = ("identity", "shape", "estimate")


def read_retries(folder: str | Path) -> list[dict[str, Any]]:
    """[{"trouble", "error", "micro_batch": what the next try uses, or None}]; empty where there is nothing readable."""
    try:
        document = load_json(Path(folder) / FILE)
    except (OSError, ValueError):
        return []
    return document if isinstance(document, list) else []


def note_retry(folder: str | Path, trouble: str, error: str | None) -> None:
    """File a try that failed."""
    tried = {"trouble": trouble, "error": error, "micro_batch": _settings(folder).get("micro_batch")}
    write_json(Path(folder) / FILE, [*read_retries(folder), tried])


def halve_micro_batch(folder: str | Path, train: Mapping[str, Any]) -> bool:
    """Let the next try encode half as many sentences at a time. False where it is one already."""
    half = int(_settings(folder).get("micro_batch") or train.get("micro_batch") or train["batch"]) // 2
    if half < 1:
        return False
    write_execution(folder, micro_batch=half)
    return True


def _settings(folder: str | Path) -> Mapping[str, Any]:
    try:
        return read_execution(folder)
    except DataError:
        return {}


def carried(config: Mapping[str, Any], folder: str | Path) -> dict[str, Any]:
    """What a record takes over from before its run: what the config says of the run as a whole, and the tries that failed."""
    told = {key: config[key] for key in CARRIED if key in config}
    tried = read_retries(folder)
    return told | ({"retries": tried} if tried else {})
