"""Every run on several processes of this machine at once, one a GPU, under torchrun."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Annotated, Any, Literal

from pydantic import Field

from dalr_bench import Ending, Queue, Report, SuiteError, Task, hookimpl, launched
from dalr_bench.plugin.spec import Register
from dalr_bench.record.store import RECORD, read_record
from dalr_bench.working import ending_of
from dalr_bench_plugins.workers.devices import cores, wanted_gpus
from dalr_bench_plugins.workers.process import Worker


class Torchrun:
    """One run after another, each on `processes` processes of this machine (left out: one a GPU; without a GPU two).

    They share every batch, and the sentences of every evaluation (docs/how-to/several-gpus.md). The first process has the run
    folder, the others follow it; they stay for the next run. One that dies takes the others with it, and the run is given
    out again. `shard=fsdp`: each holds a part of every weight, gradient and moment (FSDP2), for encoders past one card; with
    none each has a copy. For several machines start `torchrun --nnodes ... -m dalr_bench run SUITE` on each: this executor then
    takes the processes torchrun started.

    Source: torch.distributed.run, https://docs.pytorch.org/docs/stable/elastic/run.html.
    """

    def __init__(
        self,
        processes: Annotated[int, Field(ge=1)] | None = None,
        shard: Literal["none", "fsdp"] = "none",
        *,
        jobs: int | None = None,
        device: str = "auto",
        perform: Callable[[Task, Report], Ending] | None = None,
    ) -> None:
        together = launched.processes()
        if together > 1 and processes not in (None, together):
            raise SuiteError(f"--executor torchrun: processes={processes}, but torchrun started {together} of them")
        self._perform = perform if together > 1 else None
        found = len(wanted_gpus(device))
        if together == 1 and found and processes is not None and processes > found:
            raise SuiteError(
                f"--executor torchrun: processes={processes}, but there are {found} GPUs; one process has one"
            )
        self._processes, self._device = processes or found or 2, device
        self._shard = None if shard == "none" else shard

    def execute(self, queue: Queue, report: Report) -> None:
        """Run every task of the queue to its end."""
        if self._perform is not None:
            while (task := queue.take()) is not None:
                queue.end(task.run_id, *self._perform(task, report))
            return
        crew = Crew(self._processes, self._device, report, self._shard)
        try:
            while (task := queue.take()) is not None:
                queue.end(task.run_id, *crew.run(task))
        finally:
            crew.leave()


@dataclass
class Crew:
    """Torchrun and the processes it started, as one worker; a new one where the last is gone."""

    processes: int
    device: str
    report: Report
    shard: str | None = None
    events: SimpleQueue[tuple[Worker, dict[str, Any] | None]] = field(default_factory=SimpleQueue)
    worker: Worker | None = None

    def run(self, task: Task) -> Ending:
        """One task to its end, whatever becomes of the processes."""
        (Path(task.folder) / RECORD).unlink(missing_ok=True)  # an older failure is not this try's
        self.worker = worker = self.worker or self._started()
        worker.give(task)
        while (event := self.events.get()[1]) is not None:
            if event["event"] == "end":
                return Ending(event["status"], event.get("error"), event.get("trouble"))
            self.report(event)
        self.worker = None
        death = worker.death()
        worker.stop()
        record = read_record(task.folder)
        return death if record is None or death.trouble == "memory" else ending_of(record)

    def _started(self) -> Worker:
        threads = str(max(1, cores() // self.processes))
        told = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false"}
        launch = (sys.executable, "-m", "dalr_bench_plugins.workers.ranks", str(self.processes))
        return Worker(self.device, told, self.events, launch, () if self.shard is None else ("--shard", self.shard))

    def leave(self) -> None:
        """End the processes: ask first, then wait."""
        if self.worker is not None:
            self.worker.stop()


@hookimpl
def register_executors(register: Register) -> None:
    register("torchrun", Torchrun)
