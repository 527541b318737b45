"""Children that may hang or die: their events as they come, and what became of the check they were at.

One process is started and imports what every check needs; it forks a child for each order, so that a plugin's code never
runs where another's does and torch is loaded once.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any

Event = dict[str, Any]
# How long the process may take to start: it loads torch, perhaps from a slow disk.
_START = 300.0


class Nursery:
    """A process that forks a child per order. `warm` loads torch first; a check of imports needs it not to."""

    def __init__(self, warm: bool, environment: Mapping[str, str]) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the process lives; `__exit__` closes it
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dalr_bench.conformance.child", *(["warm"] if warm else [])],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._told = 0
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            if pipe is not None:
                pipe.close()

    def talk(self, order: Mapping[str, Any], limit: float) -> list[Event]:
        """All events of one child. A check that runs longer than `limit` ends it, and is told as `time.bounded`; one
        that dies is told under the contract it was at."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(dict(order)) + "\n")
            self._process.stdin.flush()
        self._told = os.fstat(self._log.fileno()).st_size
        events: list[Event] = []
        at, patience, born, over = "plugin.import", _START, 0, False
        while True:
            event = self._next(patience)
            if event is None:
                over = True
                events.append(_broken("time.bounded", f"{at} was still running after {limit:g} s"))
                os.kill(born or self._process.pid, signal.SIGKILL)
                patience = _START
            elif event["event"] == "born":
                born = event["pid"]
            elif event["event"] == "gone":
                return events if event["code"] == 0 or over else [*events, _broken(at, self._epitaph(event["code"]))]
            else:
                at, patience = event.get("contract", at), limit if event["event"] == "start" else patience
                events.append(event)

    def _next(self, patience: float) -> Event | None:
        """The next event; None where none comes in time. The end of the process itself is an event too."""
        while True:
            try:
                line = self._lines.get(timeout=patience)
            except Empty:
                return None
            if line is None:
                return {"event": "gone", "code": self._process.wait() or 1}
            with contextlib.suppress(ValueError):  # a line cut by a kill is no event
                event: Event = json.loads(line)
                return event

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _epitaph(self, code: int) -> str:
        self._log.seek(self._told)
        words = self._log.read().decode(errors="replace").strip().splitlines()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"the process died ({how}{f'; last words: {words[-1][:300]}' if words else ''})"


def _broken(contract: str, what: str) -> Event:
    return {"event": "end", "contract": contract, "state": "broken", "what": what, "input": ""}
