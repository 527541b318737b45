"""How long a grid takes on the clock: its runs handed to workers in the order the real queue gives them out."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from dalr_bench.execute.queue import TaskQueue
from dalr_bench.types import Run, Task


def makespan(runs: Sequence[Run], seconds: Mapping[str, float | None], workers: int, start: float = 0.0) -> float | None:
    """Seconds from the first worker's start to the last run's end; None where a run's seconds are not known.

    The queue is the one executors are handed. A worker begins where a run waits for one, and needs `start` seconds once.
    """
    if any(seconds[run.id] is None for run in runs):
        return None
    queue = TaskQueue([Task(run.id, "", run.needs) for run in runs])
    busy: list[tuple[float, str]] = []
    now, idle, unborn = 0.0, 0, workers
    while not queue.done():
        while idle + unborn and (task := queue.take()) is not None:
            born = idle == 0
            idle, unborn = (idle, unborn - 1) if born else (idle - 1, unborn)
            heapq.heappush(busy, (now + (start if born else 0.0) + (seconds[task.run_id] or 0.0), task.run_id))
        now, ended = heapq.heappop(busy)
        queue.end(ended, "done")
        idle += 1
    return now
