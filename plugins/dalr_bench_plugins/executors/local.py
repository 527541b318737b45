"""Several runs at once on this machine: worker processes that are each handed one run folder after another."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Annotated, Any

from pydantic import Field

from dalr_bench import PluginError, Queue, Report, Task, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.workers.devices import SHARE, Device, Memory, cores, host_memory, wanted_gpus
from dalr_bench_plugins.workers.process import Worker


class Local:
    """Several runs at once: a worker process per core, or on GPUs as many as fit each by the memory they were measured to need.

    A worker is `python -m dalr_bench work`; folders go in by its standard input, events come back as lines of JSON.
    Runs share a device when the peak bytes of recorded runs of their shape, else of a first one, fit it together; a
    shape not measured yet has a GPU for itself. `per_gpu` bounds how many share one. `memory_gb` overrides what a device
    is taken to have. Two one-thread workers beat one two-thread process: small batches gain little from threads and
    lose to their spinning (measured for the embedded world: docs/performance.md). A worker that dies takes its run with
    it, never the grid.

    Source: own work.
    """

    def __init__(
        self,
        per_gpu: Annotated[int, Field(ge=1)] = 4,
        memory_gb: Annotated[float, Field(gt=0)] | None = None,
        *,
        jobs: int | None = None,
        device: str = "auto",
    ) -> None:
        self._device, self._jobs = device, jobs
        self._per_gpu, self._bytes = per_gpu, None if memory_gb is None else int(memory_gb * 2**30)

    def execute(self, queue: Queue, report: Report) -> None:
        """Keep every device busy until the queue is done."""
        crew = Crew(self._devices(), self._device, report)
        try:
            while not queue.done():
                crew.hand_out(queue)
                if not crew.busy:
                    raise PluginError("the queue has tasks left, but none may start: their needs form a ring")
                crew.listen(queue)
        finally:
            crew.leave()

    def _devices(self) -> list[Device]:
        found = wanted_gpus(self._device)
        if not found:
            budget = self._bytes or host_memory()
            return [Device(None, None if budget is None else int(SHARE * budget), self._jobs or cores())]
        places = self._per_gpu if self._jobs is None else -(-self._jobs // len(found))
        chosen = found if self._jobs is None else found[: self._jobs]
        return [Device(name, int(SHARE * (self._bytes or size)), places) for name, size in chosen]


@dataclass
class Crew:
    """The workers, each bound to a device."""

    devices: list[Device]
    device: str
    report: Report
    memory: Memory = field(default_factory=Memory)
    events: SimpleQueue[tuple[Worker, dict[str, Any] | None]] = field(default_factory=SimpleQueue)
    workers: list[tuple[Worker, Device]] = field(default_factory=list)

    @property
    def busy(self) -> bool:
        """Whether any worker is at a run."""
        return any(worker.task for worker, _ in self.workers)

    def hand_out(self, queue: Queue) -> None:
        """Start every task that may start and fits, on the device with the fewest runs."""
        while True:
            for device in sorted(self.devices, key=lambda each: len(each.running)):
                task = queue.take(self._fitting(device))
                if task is not None:
                    self._start(task, device)
                    break
            else:
                return

    def _fitting(self, device: Device) -> Callable[[Task], bool]:
        return lambda task: device.fits(task, self.memory.of(task))

    def _start(self, task: Task, device: Device) -> None:
        idle = next((worker for worker, its in self.workers if its is device and worker.task is None), None)
        if idle is None:
            idle = Worker(self.device, self._environment(device), self.events)
            self.workers.append((idle, device))
        device.running[task.run_id] = self.memory.of(task)
        idle.give(task)

    def _environment(self, device: Device) -> dict[str, str]:
        threads = str(max(1, cores() // max(1, sum(each.places for each in self.devices))))
        threaded = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false"}
        return dict(os.environ) | threaded | ({} if device.name is None else {"CUDA_VISIBLE_DEVICES": device.name})

    def listen(self, queue: Queue) -> None:
        """Wait for one event and act on it."""
        worker, event = self.events.get()
        if event is None:
            if worker.task is not None:
                self._end(worker, queue, worker.death()._asdict())
            self.workers = [(each, its) for each, its in self.workers if each is not worker]
            worker.stop()
        elif event["event"] == "end" and worker.task is not None:
            self.memory.learn(worker.task, event.get("peak"))
            self._end(worker, queue, event)
        else:
            self.report(event)

    def _end(self, worker: Worker, queue: Queue, ending: dict[str, Any]) -> None:
        assert worker.task is not None
        run_id, worker.task = worker.task.run_id, None
        for device in self.devices:
            device.running.pop(run_id, None)
        queue.end(run_id, ending["status"], ending.get("error"), ending.get("trouble"))

    def leave(self) -> None:
        """End all workers: ask every one first, then wait."""
        for worker, _ in self.workers:
            worker.ask()
        for worker, _ in self.workers:
            worker.stop()


@hookimpl
def register_executors(register: Register) -> None:
    register("local", Local)
