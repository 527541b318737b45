"""Several runs at once on this machine: worker processes that are each handed one run folder after another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import IO, Any

from dalr_bench import PluginError, Queue, Report, Task, hookimpl
from dalr_bench.plugin.spec import Register


class Local:
    """Several runs at once: one worker process per GPU, or per core where there is none, each on its own thread count.

    A worker is `python -m dalr_bench work`; folders go in by its standard input, events come back as lines of JSON.
    Two one-thread workers beat one two-thread process: small batches gain little from threads and lose to their spinning
    (measured for the embedded world: docs/performance.md). A worker that dies takes its run with it, never the grid.

    Source: own work.
    """

    def __init__(self, *, jobs: int | None = None, device: str = "auto") -> None:
        self._devices = _gpus() if device != "cpu" else []
        self._jobs = jobs or len(self._devices) or _cores()
        self._device = device

    def execute(self, queue: Queue, report: Report) -> None:
        """Keep every worker busy until the queue is done."""
        events: SimpleQueue[tuple[Worker, dict[str, Any] | None]] = SimpleQueue()
        workers: list[Worker] = []
        try:
            while not queue.done():
                self._hand_out(queue, workers, events)
                if not any(worker.task for worker in workers):
                    raise PluginError("the queue has tasks left, but none may start: their needs form a ring")
                worker, event = events.get()
                self._handle(worker, event, queue, report)
                if event is None:
                    workers.remove(worker)
                    worker.stop()
        finally:
            for worker in workers:
                worker.stop()

    def _hand_out(self, queue: Queue, workers: list[Worker], events: SimpleQueue[Any]) -> None:
        while True:
            idle = next((worker for worker in workers if worker.task is None), None)
            if idle is None and len(workers) >= self._jobs:
                return
            task = queue.take()
            if task is None:
                return
            if idle is None:
                taken = {worker.slot for worker in workers}
                idle = self._start(next(slot for slot in range(self._jobs) if slot not in taken), events)
                workers.append(idle)
            idle.give(task)

    def _start(self, slot: int, events: SimpleQueue[Any]) -> Worker:
        environment = dict(os.environ)
        if self._devices:
            environment["CUDA_VISIBLE_DEVICES"] = self._devices[slot % len(self._devices)]
        threads = str(max(1, _cores() // self._jobs))
        environment |= {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false"}
        return Worker(slot, [sys.executable, "-m", "dalr_bench", "work", "--device", self._device], environment, events)

    @staticmethod
    def _handle(worker: Worker, event: dict[str, Any] | None, queue: Queue, report: Report) -> None:
        if event is None:
            if worker.task is not None:
                run_id, worker.task = worker.task.run_id, None
                queue.end(run_id, "failed", f"its worker process died ({worker.epitaph()})")
        elif event["event"] == "end":
            worker.task = None
            queue.end(event["run_id"], event["status"], event.get("error"))
        else:
            report(event)


@dataclass
class Worker:
    """One process, and the thread that reads its events. None on `events` says the process is gone."""

    slot: int
    command: list[str]
    environment: dict[str, str]
    events: SimpleQueue[Any]
    task: Task | None = None
    _process: subprocess.Popen[str] = field(init=False)
    _log: IO[bytes] = field(init=False)
    _reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the worker lives; `stop` closes it
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._log}
        self._process = subprocess.Popen(self.command, env=self.environment, text=True, bufsize=1, **pipes)
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

    def epitaph(self) -> str:
        """How the process ended and its last words."""
        self._log.seek(0)
        words = self._log.read().decode(errors="replace").strip().splitlines()
        code = self._process.returncode
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"{how}; last words: {words[-1]}" if words else how

    def stop(self) -> None:
        """Close its input and give it a moment; then terminate it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self.task is not None:
            self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus() -> list[str]:
    """Identifiers for CUDA_VISIBLE_DEVICES; none where torch sees no CUDA device."""
    import torch

    if not torch.cuda.is_available():
        return []
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return named or [str(number) for number in range(torch.cuda.device_count())]


@hookimpl
def register_executors(register: Register) -> None:
    register("local", Local)
