"""One run after another, in this process."""

from __future__ import annotations

from collections.abc import Callable

from dalr_bench import Ending, Queue, Report, Task, hookimpl
from dalr_bench.plugin.spec import Register


class Inline:
    """One run after another, in this process: nothing starts, nothing to go wrong between processes.

    Source: own work.
    """

    def __init__(self, *, perform: Callable[[Task, Report], Ending]) -> None:
        self._perform = perform

    def execute(self, queue: Queue, report: Report) -> None:
        """Run every task of the queue to its end."""
        while (task := queue.take()) is not None:
            queue.end(task.run_id, *self._perform(task, report))


@hookimpl
def register_executors(register: Register) -> None:
    register("inline", Inline)
