"""A worker process on this machine: folders in by its standard input, events out by its standard output."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import IO, Any

from dalr_bench import Ending, Task
from dalr_bench.execute.trouble import memory_kills, trouble_of_death

_SECONDS_TO_LEAVE = 60


@dataclass
class Worker:
    """`python -m dalr_bench work`, and the thread that reads its events. None on `events` says the process is gone.

    `launch`: the command that starts `-m dalr_bench work`, where several processes are one worker; `more`: options of theirs.
    """

    device: str
    environment: dict[str, str]
    events: SimpleQueue[Any]
    launch: Sequence[str] = (sys.executable,)
    more: Sequence[str] = ()
    task: Task | None = None
    _process: subprocess.Popen[str] = field(init=False)
    _log: IO[bytes] = field(init=False)
    _reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the worker lives; `stop` closes it
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._log}
        command = [*self.launch, "-m", "dalr_bench", "work", "--device", self.device, *self.more]
        self._kills = memory_kills()
        # A terminal's Ctrl-C would reach what is launched too, which hands it on: a worker is asked once, by its input's end.
        apart = len(self.launch) > 1
        self._process = subprocess.Popen(
            command, env=self.environment, text=True, bufsize=1, start_new_session=apart, **pipes
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def give(self, task: Task) -> None:
        """Hand the worker a folder."""
        self.task = task
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps({"run_id": task.run_id, "folder": task.folder}) + "\n")
            self._process.stdin.flush()
        except OSError:
            # It died between two runs; the reading thread says so, and the run is ended there.
            return

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.events.put((self, json.loads(line)))
        self._process.wait()
        self.events.put((self, None))

    def death(self) -> Ending:
        """How the process ended: the code, its last words, and what trouble that is."""
        self._log.seek(0)
        words = self._log.read().decode(errors="replace").strip().splitlines()
        code = self._process.returncode
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        told = f"{how}; last words: {words[-1]}" if words else how
        return Ending("failed", f"its worker process died ({told})", trouble_of_death(code, self._kills))

    def ask(self) -> None:
        """Close its input: an idle worker leaves at once, one at a run when it has written a checkpoint."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def stop(self) -> None:
        """`ask`, and see it gone; one that does not leave in time is killed."""
        self.ask()
        try:
            self._process.wait(timeout=_SECONDS_TO_LEAVE)
        except subprocess.TimeoutExpired:
            self._kill()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def _kill(self) -> None:
        """A process that launched others is asked first: it ends them, and would leave them behind if it were killed."""
        if len(self.launch) > 1:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=2 * _SECONDS_TO_LEAVE)
        self._process.kill()
        self._process.wait()
