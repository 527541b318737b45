"""`steps.jsonl`: what training logged, a line per logged step."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dalr_bench.record.files import sync_folder, write_text

STEPS = "steps.jsonl"


class StepLog:
    """Appends lines, each flushed as it is written. Opened `after` a step (a resume), it drops later steps' lines."""

    def __init__(self, folder: str | Path, after: int = 0) -> None:
        self.path = Path(folder) / STEPS
        kept = [line for line in read_steps(folder) if line["step"] <= after]
        write_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))
        self.seconds = max((float(line.get("seconds") or 0.0) for line in kept), default=0.0)  # behind it already
        self._file = self.path.open("a", encoding="utf-8")

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Append one line. NaN is written as null: the line that explains a stopped run must stay readable."""
        finite = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}
        self._file.write(json.dumps({"step": step, **finite}, allow_nan=False) + "\n")
        self._file.flush()

    def sync(self) -> None:
        """Bring what was written to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """`sync`, and no more lines."""
        if not self._file.closed:
            self.sync()
            self._file.close()
            sync_folder(self.path.parent)

    def __enter__(self) -> StepLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_steps(folder: str | Path) -> list[dict[str, Any]]:
    """The logged steps; none where there is no log to be read. A last line that was cut off is left out."""
    try:
        lines = (Path(folder) / STEPS).read_bytes().split(b"\n")
    except OSError:
        return []
    out: list[dict[str, Any]] = []
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and isinstance(value.get("step"), int):
            out.append(value)
    return out
