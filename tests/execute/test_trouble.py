"""What went wrong, by kind; and how often it is tried again."""

from __future__ import annotations

import signal
from collections import Counter

import pytest
import torch

from dalr_bench import Task
from dalr_bench.errors import SuiteError
from dalr_bench.execute import trouble
from dalr_bench.execute.queue import TaskQueue
from dalr_bench.execute.trouble import LIMITS, Retries, trouble_of, trouble_of_death


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), "memory"),
        (MemoryError(), "memory"),
        (OSError(12, "Cannot allocate memory"), "memory"),
        (RuntimeError("size mismatch"), "bug"),
        (SuiteError("the suite asks for out of memory"), "bug"),
        (ZeroDivisionError("division by zero"), "bug"),
        (RuntimeError("[gloo/transport/tcp/pair.cc:537] Connection closed by peer"), "lost"),
        (torch.distributed.DistBackendError("NCCL error in: ProcessGroupNCCL.cpp"), "lost"),
        (SuiteError("connection closed by peer"), "bug"),
    ],
)
def test_exceptions(error: Exception, kind: str) -> None:
    assert trouble_of(error) == kind


def test_the_allocator_of_the_cpu_is_understood() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert trouble_of(caught.value) == "memory"


def test_deaths(monkeypatch: pytest.MonkeyPatch) -> None:
    kills = trouble.memory_kills()
    assert trouble_of_death(-signal.SIGKILL, kills) == "lost"
    assert trouble_of_death(-signal.SIGSEGV, kills) == "lost"
    assert trouble_of_death(-signal.SIGTERM, kills) == "preempted"
    assert trouble_of_death(130, kills) == "preempted"
    assert trouble_of_death(1, kills) == "bug"
    monkeypatch.setattr(trouble, "memory_kills", lambda: kills + 1)  # the kernel's own count went up meanwhile
    assert trouble_of_death(-signal.SIGKILL, kills) == "memory"
    assert trouble_of_death(-signal.SIGSEGV, kills) == "lost"


def tries(kind: trouble.Trouble, lighter: int = 99) -> tuple[int, str]:
    """How often a task that always ends so is given out, and its status in the end."""
    left = [lighter]

    def lighten(task: Task) -> bool:
        left[0] -= 1
        return left[0] >= 0

    noted: Counter[str] = Counter()
    retries = Retries(lighten, lambda task, trouble, error: noted.update([trouble]))
    queue = TaskQueue([Task("a", "a"), Task("b", "b", ("a",))], again=retries)
    count = 0
    while not queue.done():
        task = queue.take()
        assert task is not None
        assert task.run_id == "a"
        count += 1
        queue.end("a", "failed", "on purpose", kind)
    assert noted[kind] == count - 1
    assert queue.status["b"] == "blocked"
    return count, queue.status["a"]


def test_each_kind_has_its_bound() -> None:
    assert {kind: tries(kind) for kind in LIMITS} == {kind: (limit + 1, "failed") for kind, limit in LIMITS.items()}
    assert tries("bug") == (1, "failed")
    assert tries("memory", lighter=2) == (3, "failed")


def test_what_succeeds_the_second_time_is_done() -> None:
    told: list[str] = []
    queue = TaskQueue([Task("a", "a"), Task("b", "b", ("a",))], again=Retries(lambda task: True))
    queue.told = lambda event: told.append(f"{event['event']} {event['run_id']}")
    queue.take()
    queue.end("a", "failed", "the node went", "lost")
    assert queue.status == {}
    queue.take()
    queue.end("a", "done")
    assert queue.take() == Task("b", "b", ("a",))
    assert told == ["retry a", "end a"]
