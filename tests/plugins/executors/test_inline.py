"""One run after another, here: order, needs, failures."""

from __future__ import annotations

from dalr_bench import Report, Task
from dalr_bench.execute.queue import TaskQueue
from dalr_bench.plugin.manager import load
from dalr_bench.types import Part


def test_tasks_run_in_order_of_their_needs_and_errors_are_handed_on() -> None:
    seen: list[str] = []

    def perform(task: Task, report: Report) -> tuple[str, str | None]:
        seen.append(task.run_id)
        report({"event": "stage", "run_id": task.run_id, "stage": "train"})
        return ("failed", "broken on purpose") if task.run_id == "b" else ("done", None)

    events: list[tuple[str, str]] = []
    queue = TaskQueue([Task("c", "c", ("a",)), Task("d", "d", ("b",)), Task("a", "a"), Task("b", "b")])
    queue.told = lambda event: events.append((event["run_id"], event["status"]))
    executor = load().catalogue.build("executor", Part("inline"), perform=perform, jobs=3, device="cpu")
    executor.execute(queue, lambda event: events.append((event["run_id"], event["event"])))
    assert seen == ["a", "b", "c"]  # "b" first: somebody waits for it
    assert queue.status == {"a": "done", "c": "done", "b": "failed", "d": "blocked"}
    assert events[:2] == [("a", "stage"), ("a", "done")]
    assert queue.done()
