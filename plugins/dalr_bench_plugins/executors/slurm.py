"""Runs as jobs of a SLURM cluster, through submitit: an array for all that may start, another when more may."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from dalr_bench import Ending, PluginError, Queue, Report, Task, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench.record.store import RECORD, read_record
from dalr_bench.working import ending_of
from dalr_bench_plugins.workers.devices import cores
from dalr_bench_plugins.workers.submission import SECONDS_TO_LEAVE, RunFolder

_TROUBLE = {"OUT_OF_MEMORY": "memory", "PREEMPTED": "preempted", "TIMEOUT": "preempted"}
_LOGS = ".slurm"


class Slurm:
    """Runs as jobs of a SLURM cluster. What may start goes out as one job array, at most `parallel` of it at a time.

    `partition`, `account`, `minutes` (then the run is requeued and goes on, at most `timeouts` times), `gpus`, `cpus` and
    `memory_gb` of each job. A job that is preempted writes its checkpoint and is requeued by submitit; SLURM must be set
    to send a signal first (`SlurmctldParameters=preempt_send_user_signal`). Results, data and caches must lie on a file
    system all nodes share. The command that started the grid stays and hands out what waits for other runs; it may be
    ended and started again. `mode` local runs the jobs as processes of this machine, debug in turn in this one.

    Source: submitit, https://github.com/facebookincubator/submitit, docs/checkpointing.md.
    """

    def __init__(
        self,
        partition: str | None = None,
        minutes: Annotated[int, Field(ge=1)] = 240,
        gpus: Annotated[int, Field(ge=0)] = 0,
        cpus: Annotated[int, Field(ge=1)] = 1,
        memory_gb: Annotated[float, Field(gt=0)] | None = None,
        parallel: Annotated[int, Field(ge=1)] | None = None,
        account: str | None = None,
        timeouts: Annotated[int, Field(ge=0)] = 10,
        mode: Literal["slurm", "local", "debug"] = "slurm",
        *,
        jobs: int | None = None,
        device: str = "auto",
    ) -> None:
        self._mode, self._device, self._timeouts = mode, device, timeouts
        self._parallel = parallel or jobs or (None if mode == "slurm" else cores())
        wanted: dict[str, Any] = {
            "timeout_min": minutes,
            "gpus_per_node": gpus,
            "cpus_per_task": cpus,
            "mem_gb": memory_gb,
        }
        wanted |= {"slurm_partition": partition, "slurm_array_parallelism": self._parallel, "slurm_account": account}
        self._wanted = {key: value for key, value in wanted.items() if value is not None}

    def execute(self, queue: Queue, report: Report) -> None:
        """Submit what may start, wait for what was submitted, until the queue is done."""
        sent: list[Sent] = []
        logs = None
        while not queue.done():
            fresh = self._take(queue, len(sent))
            if fresh:
                logs = Path(os.path.abspath(fresh[0].folder)).parent / _LOGS
                sent += self._submit(fresh, logs)
            if not sent:
                raise PluginError("the queue has tasks left, but none may start: their needs form a ring")
            sent = [each for each in sent if not self._ended(each, queue, report)]
            if sent and not self._debug:
                time.sleep(5.0 if self._mode == "slurm" else 0.2)
        if logs is not None and all(status == "done" for status in getattr(queue, "status", {}).values()):
            shutil.rmtree(logs, ignore_errors=True)

    @property
    def _debug(self) -> bool:
        return self._mode == "debug"

    def _take(self, queue: Queue, busy: int) -> list[Task]:
        """All that may start; on this machine no more than it has cores, in a cluster SLURM itself counts."""
        fresh: list[Task] = []
        while self._mode == "slurm" or self._parallel is None or busy + len(fresh) < self._parallel:
            task = queue.take()
            if task is None:
                break
            fresh.append(task)
        return fresh

    def _submit(self, tasks: Sequence[Task], logs: Path) -> list[Sent]:
        try:
            import submitit
        except ImportError as error:
            raise PluginError("the executor 'slurm' needs submitit: pip install 'dalr-bench[slurm]'") from error
        logs.mkdir(parents=True, exist_ok=True)
        try:
            executor = submitit.AutoExecutor(logs, cluster=self._mode, slurm_max_num_timeout=self._timeouts)
            executor.update_parameters(
                name="dalr-bench", slurm_signal_delay_s=2 * SECONDS_TO_LEAVE, stderr_to_stdout=True, **self._wanted
            )
        except (RuntimeError, ValueError) as error:
            raise PluginError(f"submitit cannot be used here: {error}") from error
        for task in tasks:
            (Path(task.folder) / RECORD).unlink(missing_ok=True)  # an older failure is not this job's
        folders = [RunFolder(os.path.abspath(t.folder), self._device, str(logs / f"{t.run_id}.events")) for t in tasks]
        with executor.batch():
            jobs = [executor.submit(folder) for folder in folders]
        return [Sent(task, job, Path(each.events)) for task, job, each in zip(tasks, jobs, folders, strict=True)]

    def _ended(self, sent: Sent, queue: Queue, report: Report) -> bool:
        """Hand on what a job told; end its task when the job is over."""
        over = bool(sent.job.done())
        for event in sent.news():
            if event.get("event") != "end":
                report(event)
        if over:
            queue.end(sent.task.run_id, *sent.ending())
        return over


@dataclass
class Sent:
    """A task, its job, and the file the job's events go to, read so far."""

    task: Task
    job: Any
    events: Path
    read: int = 0

    def news(self) -> list[dict[str, Any]]:
        """Events since the last call. A line that is not whole yet waits."""
        try:
            with self.events.open("rb") as file:
                file.seek(self.read)
                text = file.read()
        except OSError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self.read += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def ending(self) -> Ending:
        """By its record; a job that left none is told by what SLURM says of it."""
        record = read_record(self.task.folder)
        if record is not None:
            return ending_of(record)
        state = str(self.job.state).split()[0].rstrip("+").upper()
        trouble: Any = _TROUBLE.get(state, "lost")
        return Ending(
            "failed", f"its job {self.job.job_id} left no record (state {state}); see {self.job.paths.stdout}", trouble
        )


@hookimpl
def register_executors(register: Register) -> None:
    register("slurm", Slurm)
