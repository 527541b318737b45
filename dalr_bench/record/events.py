"""`events.jsonl`: what happened to a run, a line an event, only ever added to."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from dalr_bench.process import myself

EVENTS = "events.jsonl"


def tell_event(folder: str | Path, event: str, **values: Any) -> None:
    """Append one line: `event`, `time` (seconds since 1970), `host`, `pid`, `boot`, and what else there is to say.

    Raises OSError where there is no room. A line is written in one piece, after whatever a killed process left of its last.
    """
    who = {key: value for key, value in myself().items() if key != "born"}
    line = json.dumps({"event": event, "time": round(time.time(), 3), **who, **values}, allow_nan=False)
    number = os.open(Path(folder) / EVENTS, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        size = os.fstat(number).st_size
        torn = size > 0 and os.pread(number, 1, size - 1) != b"\n"
        data = (b"\n" if torn else b"") + line.encode() + b"\n"
        if os.write(number, data) < len(data):
            raise OSError(28, os.strerror(28), str(Path(folder) / EVENTS))
        os.fsync(number)
    finally:
        os.close(number)


def read_events(folder: str | Path) -> list[dict[str, Any]]:
    """All events in order; a line that was cut off is left out. None where there is no file."""
    try:
        lines = (Path(folder) / EVENTS).read_bytes().split(b"\n")
    except OSError:
        return []
    out = []
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and isinstance(value.get("event"), str):
            out.append(value)
    return out
