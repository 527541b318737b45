"""What went wrong with a run, and whether another try is worth it: one policy for all executors."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dalr_bench.errors import EXIT_INTERRUPTED
from dalr_bench.types import Task, Trouble

# A run is given out again at most so often. Running out of memory stops helping when one sentence at a time is too much;
# a preempted run loses nothing and is nobody's fault; a worker lost three times in one run is most likely that run's doing.
LIMITS: dict[Trouble, int] = {"bug": 0, "memory": 8, "preempted": 100, "lost": 2}
# torch raises a plain RuntimeError where the CPU's allocator gives up.
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "cannot allocate memory")
# What torch raises where a process of the same run is gone: an error of its own, or one of gloo's that says only where it was met.
_LOST = ("DistBackendError", "DistNetworkError", "DistStoreError")
_NO_PEER = ("gloo/transport", "connection closed by peer", "connection reset by peer")
# What a process that is no run's first leaves with, having no record to say it in.
EXIT_OUT_OF_MEMORY = 12
_COUNTERS = (
    Path("/proc/vmstat"),
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
)


def trouble_of(error: BaseException) -> Trouble:
    """Whether an exception means that memory ran out, on the GPU or the host, or that a process of the run is gone; else a bug."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "memory"
    told = str(error).lower()
    if type(error).__name__ in _LOST or (isinstance(error, RuntimeError) and any(text in told for text in _NO_PEER)):
        return "lost"
    return "memory" if isinstance(error, RuntimeError | OSError) and any(text in told for text in _NO_MEMORY) else "bug"


def trouble_of_death(code: int, kills_before: int) -> Trouble:
    """Why a worker process is gone, from its return code (negative: a signal) and `memory_kills` before it started.

    The kernel's out-of-memory killer sends SIGKILL as anybody may; its own count tells the two apart.
    """
    if code == EXIT_OUT_OF_MEMORY or (code == -signal.SIGKILL and memory_kills() > kills_before):
        return "memory"
    if code in (-signal.SIGTERM, EXIT_INTERRUPTED):
        return "preempted"
    return "lost" if code < 0 else "bug"


def memory_kills() -> int:
    """How many processes the kernel has killed for want of memory, as far as it tells; 0 where it does not."""
    return max((_counted(path) for path in _COUNTERS), default=0)


def _counted(path: Path) -> int:
    try:
        pairs = (line.split() for line in path.read_text().splitlines())
        return next((int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] == "oom_kill"), 0)
    except (OSError, ValueError):
        return 0


@dataclass
class Retries:
    """Implements `queue.Again`. `lighten` makes a run need less memory (False: it cannot); `note` files the try that failed."""

    lighten: Callable[[Task], bool]
    note: Callable[[Task, Trouble, str | None], None] = lambda task, trouble, error: None
    counts: Counter[tuple[str, Trouble]] = field(default_factory=Counter)

    def __call__(self, task: Task, trouble: Trouble, error: str | None) -> bool:
        """Whether the task is given out again."""
        key = (task.run_id, trouble)
        if self.counts[key] >= LIMITS[trouble] or (trouble == "memory" and not self.lighten(task)):
            return False
        self.counts[key] += 1
        self.note(task, trouble, error)
        return True
