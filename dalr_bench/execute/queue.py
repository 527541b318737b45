"""The tasks of a grid and their order: a task starts when those it needs are done, and never where one of them failed."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dalr_bench.types import Task, Trouble

Again = Callable[[Task, Trouble, str | None], bool]


@dataclass
class TaskQueue:
    """Implements `protocols.Queue`. `status` ends up holding done, failed, blocked (a need failed) or skipped (--fail-fast).

    `again` is asked about every task that failed, and says whether it is given out once more. `held` tells that another
    process works on a task at this moment: it is taken last, and then waited for.
    """

    tasks: Sequence[Task]
    fail_fast: bool = False
    told: Callable[[Mapping[str, Any]], None] = lambda event: None
    status: dict[str, str] = field(default_factory=dict)
    again: Again = lambda task, trouble, error: False
    held: Callable[[Task], bool] = lambda task: False
    _taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._place = {task.run_id: number for number, task in enumerate(self.tasks)}
        self._users: dict[str, list[Task]] = {run: [] for run in self._place}
        self._unmet: dict[str, set[str]] = {}
        for task in self.tasks:
            self._unmet[task.run_id] = {need for need in task.needs if need in self._place}
            for need in self._unmet[task.run_id]:
                self._users[need].append(task)
        self._ready: list[tuple[int, int]] = []
        for task in self.tasks:
            self._offer(task)

    def __len__(self) -> int:
        return len(self.tasks)

    def take(self, fits: Callable[[Task], bool] | None = None) -> Task | None:
        """The first task that may start now (and fits); tasks many others wait for come first, those held elsewhere last."""
        free = self._first(lambda task: (fits is None or fits(task)) and not self.held(task))
        return self._first(fits) if free is None else free

    def _first(self, fits: Callable[[Task], bool] | None) -> Task | None:
        passed_over = []
        chosen = None
        while self._ready and chosen is None:
            entry = heapq.heappop(self._ready)
            task = self.tasks[entry[1]]
            if task.run_id in self._taken or task.run_id in self.status:
                continue
            if fits is None or fits(task):
                chosen = task
            else:
                passed_over.append(entry)
        for entry in passed_over:
            heapq.heappush(self._ready, entry)
        if chosen is not None:
            self._taken.add(chosen.run_id)
        return chosen

    def done(self) -> bool:
        """Every task has ended, one way or another."""
        return len(self.status) == len(self.tasks)

    def end(self, run_id: str, status: str, error: str | None = None, trouble: Trouble | None = None) -> None:
        """A task ended. Those that need a failed one are blocked; with fail_fast everything not started is skipped."""
        task = self.tasks[self._place[run_id]]
        if status == "failed" and trouble is not None and self.again(task, trouble, error):
            self._taken.discard(run_id)
            self._offer(task)
            self.told({"event": "retry", "run_id": run_id, "trouble": trouble, "error": error})
            return
        self._close(run_id, status, error)
        if status == "done":
            for user in self._users[run_id]:
                self._unmet[user.run_id].discard(run_id)
                self._offer(user)
        elif self.fail_fast:
            for other in self.tasks:
                if other.run_id not in self.status and other.run_id not in self._taken:
                    self._close(other.run_id, "skipped", "not started: --fail-fast")

    def _close(self, run_id: str, status: str, error: str | None) -> None:
        """File an ending; without success it is the ending of all that waited for it."""
        self.status[run_id] = status
        self.told({"event": "end", "run_id": run_id, "status": status, "error": error})
        for user in self._users[run_id] if status != "done" else ():
            if user.run_id not in self.status and user.run_id not in self._taken:
                self._close(user.run_id, "blocked", f"needs {run_id}, which did not finish")

    def _offer(self, task: Task) -> None:
        if not self._unmet[task.run_id]:
            heapq.heappush(self._ready, (-len(self._users[task.run_id]), self._place[task.run_id]))
