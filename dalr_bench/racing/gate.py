"""Where a side waits for its turn, and how its steps are timed: CPU seconds of the process, or events of a GPU."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any, TextIO

import torch

Mark = tuple[str, Any]


@dataclass
class Gate:
    """`next` ends a step, reports it, waits until it is this side's turn again, and starts the clock."""

    device: torch.device
    orders: TextIO = field(default_factory=lambda: sys.stdin)
    reports: TextIO = field(default_factory=lambda: sys.stdout)
    _marks: list[Mark] = field(default_factory=list)
    _loss: Any = None

    def next(self, loss: Any = None) -> None:
        """Raises SystemExit when the race is over."""
        if self._marks:
            self.lap("other")
            self._report(self._parts(), loss)
        self._marks = []
        order = self.orders.readline().strip()
        if order != "go":
            raise SystemExit(0)
        self._marks = [("", self._now())]

    def lap(self, part: str) -> None:
        """What was done since the last lap was `part`."""
        if self._marks:
            self._marks.append((part, self._now()))

    def _now(self) -> Any:
        if self.device.type != "cuda":
            return time.process_time()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _parts(self) -> dict[str, float]:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        parts: dict[str, float] = {}
        for (_, before), (part, now) in zip(self._marks, self._marks[1:], strict=False):
            seconds = before.elapsed_time(now) / 1e3 if self.device.type == "cuda" else now - before
            parts[part] = parts.get(part, 0.0) + seconds
        return parts

    def _report(self, parts: dict[str, float], loss: Any) -> None:
        memory = torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else None
        row = {"parts": parts, "loss": None if loss is None else float(loss), "peak_bytes": memory}
        print(json.dumps(row), file=self.reports, flush=True)
