"""The tasks of a grid and their order: a task starts when those it needs are done, and never where one of them failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dalr_bench.types import Task


@dataclass
class TaskQueue:
    """Implements `protocols.Queue`. `status` ends up holding done, failed, blocked (a need failed) or skipped (--fail-fast)."""

    tasks: Sequence[Task]
    fail_fast: bool = False
    told: Callable[[Mapping[str, Any]], None] = lambda event: None
    status: dict[str, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.tasks)

    def take(self) -> Task | None:
        """The first task that may start now; tasks many others wait for come first."""
        known = {task.run_id for task in self.tasks}
        waiting = [task for task in self.tasks if task.run_id not in self._taken and task.run_id not in self.status]
        ready = [
            task for task in waiting if all(self.status.get(need) == "done" for need in task.needs if need in known)
        ]
        if not ready:
            return None
        chosen = max(ready, key=lambda task: sum(task.run_id in other.needs for other in waiting))
        self._taken.add(chosen.run_id)
        return chosen

    def done(self) -> bool:
        """Every task has ended, one way or another."""
        return len(self.status) == len(self.tasks)

    def end(self, run_id: str, status: str, error: str | None = None) -> None:
        """A task ended. Those that need a failed one are blocked; with fail_fast everything not started is skipped."""
        self.status[run_id] = status
        self.told({"event": "end", "run_id": run_id, "status": status, "error": error})
        if status == "done":
            return
        for task in self.tasks:
            if task.run_id in self.status or task.run_id in self._taken:
                continue
            if run_id in task.needs:
                self.end(task.run_id, "blocked", f"needs {run_id}, which did not finish")
            elif self.fail_fast:
                self.end(task.run_id, "skipped", "not started: --fail-fast")
