"""From a plan to the queue executors are handed: configs written, equal runs taken over, tasks with what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dalr_bench.execute.queue import TaskQueue
from dalr_bench.execute.trouble import Retries
from dalr_bench.folders import lay_out
from dalr_bench.keeping import Keeping
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.record.lease import holder
from dalr_bench.record.retention import tidy
from dalr_bench.record.retries import halve_micro_batch, note_retry
from dalr_bench.sharing import at_work, take_over
from dalr_bench.suite.estimate import Cost, estimates
from dalr_bench.suite.known import Past, workers
from dalr_bench.suite.makespan import makespan
from dalr_bench.suite.plan import Plan
from dalr_bench.types import Run, Task


@dataclass(frozen=True)
class Work:
    """What there is to do: `todo` in the order of the plan, `taken` from other suites, `wall` seconds it should take."""

    plan: Plan
    folder: Path
    todo: Sequence[Run]
    taken: Sequence[Run]
    shapes: Mapping[str, str]
    costs: Mapping[str, Cost]
    start: float

    def queue(self, fail_fast: bool) -> TaskQueue:
        """The tasks, with retries by kind of failure."""
        trained = {run.id: run.config["train"] for run in self.todo}
        retries = Retries(
            lambda task: halve_micro_batch(task.folder, trained[task.run_id]),
            lambda task, trouble, error: note_retry(task.folder, trouble, error),
        )

        def held(task: Task) -> bool:
            return holder(task.folder) is not None or at_work(Path(task.folder)) is not None

        return TaskQueue([self._task(run) for run in self.todo], fail_fast, again=retries, held=held)

    def _task(self, run: Run) -> Task:
        memory = self.costs[run.id].memory
        return Task(run.id, str(self.folder / run.id), run.needs, self.shapes[run.id], memory)

    def wall_seconds(self, executor: str, jobs: int | None) -> float | None:
        """What the estimates come to on the clock; None where one is missing, or where others' machines do the work."""
        if executor not in ("inline", "local"):
            return None
        at_once = 1 if executor == "inline" else workers(jobs)
        return makespan(self.todo, {run.id: self.costs[run.id].seconds for run in self.todo}, at_once, self.start)


def dispatch(plan: Plan, whole: Plan, folder: Path, catalogue: Catalogue) -> Work:
    """Write the suite's summary and the config of every run that is not done, and take over what other suites have of it.

    A config says of its run, beside its options: `identity`, `shape` (equal shapes cost the same) and `estimate`. The
    record repeats them, so that an estimate stands beside what the run took.
    """
    past = Past(plan, folder, catalogue)
    costs = estimates(plan, past.known())
    told: dict[str, dict[str, Any]] = {
        run: {"identity": plan.identities[run], "shape": past.shapes[run], "estimate": cost.to_json()}
        for run, cost in costs.items()
    }
    retain = Keeping.from_environment().retain
    taken = take_over(plan, folder, told, retain)
    todo = lay_out(plan, whole, folder, retain, told)
    for run in taken:
        tidy(folder / run.id, retain)
    return Work(plan, folder, todo, taken, past.shapes, costs, past.start)
