"""Who may start when, and what a failure stops."""

from __future__ import annotations

from dalr_bench import Task
from dalr_bench.execute.queue import TaskQueue


def task(name: str, *needs: str) -> Task:
    return Task(name, f"results/{name}", needs)


def test_a_task_waits_for_what_it_needs() -> None:
    queue = TaskQueue([task("student", "teacher"), task("teacher")])
    first = queue.take()
    assert first is not None
    assert first.run_id == "teacher"
    assert queue.take() is None
    queue.end("teacher", "done")
    second = queue.take()
    assert second is not None
    assert second.run_id == "student"
    queue.end("student", "done")
    assert queue.done()


def test_what_many_wait_for_comes_first() -> None:
    queue = TaskQueue([task("floor"), task("teacher"), task("a", "teacher"), task("b", "teacher")])
    first = queue.take()
    assert first is not None
    assert first.run_id == "teacher"


def test_a_need_outside_the_queue_is_done_already() -> None:
    assert TaskQueue([task("student", "finished-before")]).take() is not None


def test_failure_blocks_what_needs_it_and_nothing_else() -> None:
    told: list[str] = []
    queue = TaskQueue(
        [task("t"), task("a", "t"), task("b", "a"), task("other")],
        told=lambda event: told.append(f"{event['run_id']} {event['status']}"),
    )
    queue.take()
    queue.end("t", "failed", "NaN")
    assert queue.status == {"t": "failed", "a": "blocked", "b": "blocked"}
    assert told == ["t failed", "a blocked", "b blocked"]
    left = queue.take()
    assert left is not None
    assert left.run_id == "other"


def test_fail_fast_starts_nothing_more() -> None:
    queue = TaskQueue([task("a"), task("b"), task("c")], fail_fast=True)
    queue.take()
    queue.take()
    queue.end("a", "failed", "x")
    assert queue.status == {"a": "failed", "c": "skipped"}
    assert not queue.done()
    queue.end("b", "done")
    assert queue.done()
