"""What an executor, a tracker, a table template and a command promise."""

from __future__ import annotations

import contextlib
import copy
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dalr_bench.conformance.bench import Bench, Check, UncheckedError
from dalr_bench.conformance.probes import random_states_kept
from dalr_bench.errors import UserError
from dalr_bench.execute.queue import TaskQueue
from dalr_bench.table.model import Cell, Column, Group, Row, Table
from dalr_bench.types import Task

_CONFIG = {"suite": "probe", "variant": "a", "seed": 0, "axes": {}, "train": {"steps": 2}}
_SCORE = {
    "task": "TASK",
    "metric": "spearman",
    "aggregation": "all",
    "split": "test",
    "value": 0.5,
    "n": 9,
    "protocol": "p",
}
_RECORD: dict[str, Any] = {"schema": 1, "run_id": "run", **_CONFIG, "status": "done", "error": None, "scores": [_SCORE]}


def every_task(bench: Bench) -> None:
    """Five tasks, one that fails, one that needs it, one that needs another. Folders hold no run: a worker must say so."""
    ended: list[tuple[str, str]] = []
    ran: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        queue = TaskQueue(_tasks(Path(folder)), told=lambda event: ended.append((event["run_id"], event["status"])))
        executor = bench.build(perform=_performer(ran))
        bench.note = "tasks a, b (needs a), bad, c (needs bad), d"
        try:
            executor.execute(queue, lambda event: None)
        except UserError as error:  # it says itself what it misses here: a scheduler, a library
            raise UncheckedError(str(error.faults[0])) from None
    names = [name for name, _ in ended]
    bench.need(queue.done(), f"it came back with tasks left; ended are {names}")
    bench.need(sorted(names) == sorted(set(names)), f"a task ended twice: {names}")
    # One that starts processes may take `perform` for where it is among such itself; they find no run in these folders.
    if "perform" in bench.component.injected and (ran or any(status == "done" for _, status in ended)):
        bench.need(sorted(ran) == ["a", "b", "bad", "d"], f"it ran {ran}; expected a, b, bad and d, each once")
        bench.need(ran.index("a") < ran.index("b"), "it ran b before a, which b needs")
        status = dict(ended)
        bench.need([status[name] for name in "abcd"] == ["done", "done", "blocked", "done"], f"they ended as {status}")


def _tasks(folder: Path) -> list[Task]:
    needs = {"a": (), "b": ("a",), "bad": (), "c": ("bad",), "d": ()}
    for name in needs:
        (folder / name).mkdir()
    return [Task(name, str(folder / name), wanted) for name, wanted in needs.items()]


def _performer(ran: list[str]) -> Callable[..., tuple[str, str | None]]:
    def perform(task: Task, report: Callable[[Mapping[str, Any]], None]) -> tuple[str, str | None]:
        ran.append(task.run_id)
        report({"event": "step", "run_id": task.run_id, "step": 1, "steps": 1})
        return ("failed", "meant to") if task.run_id == "bad" else ("done", None)

    return perform


def every_call(bench: Bench) -> None:
    """A whole run, a second one beside it that fails, and a run that was never started here."""
    tracker = bench.one()
    failed = {**_RECORD, "run_id": "other", "status": "failed", "error": "meant to", "scores": []}
    calls: Sequence[tuple[str, dict[str, Any]]] = (
        ("run_started", {"run_id": "run", "config": _CONFIG}),
        ("run_started", {"run_id": "other", "config": {**_CONFIG, "variant": "b"}}),
        (
            "step_finished",
            {"run_id": "run", "step": 1, "values": {"loss": 1.5, "info": 1.5, "grad_norm": 0.1, "rate": 1e-5}},
        ),
        ("dev_scored", {"run_id": "run", "step": 2, "scores": {"TASK": 0.4}}),
        ("run_finished", {"run_id": "run", "record": {**_RECORD, "steps": 2}}),
        ("run_finished", {"run_id": "other", "record": failed}),
    )
    known = [hook for hook, _ in calls if callable(getattr(tracker, hook, None))]
    bench.need(bool(known), "it has none of run_started, step_finished, dev_scored, run_finished")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for hook, values in calls:
            if hook in known:
                given, bench.note = copy.deepcopy(values), f"{hook}({values})"
                with random_states_kept():
                    getattr(tracker, hook)(**given)
                bench.need(given == values, f"{hook} changed what it was given")


def text(bench: Bench) -> None:
    """A template that renders."""
    from dalr_bench.table.render import render_template

    made = bench.build()
    bench.need(
        isinstance(made, str) and bool(made.strip()), f"it gave {type(made).__name__}, expected the template's text"
    )
    bench.note = "a table of one measured row"
    page = render_template(_table(), made, bench.component.name)
    bench.need("variant" in page, "the table it makes does not show the name of its row")


def _table() -> Table:
    column = Column("TASK.spearman", "TASK", "", ("TASK", "spearman", "all", "test"))
    row = Row("variant", "measured", {column.name: Cell(51.25, 0.5, 2, 2, best=True)}, 2, 2)
    return Table("A title", "probe", [column], [Group("", [row])], [([column.name], "a protocol")], [])


def shows_help(bench: Bench) -> None:
    """It says what it does."""
    import click
    from click.testing import CliRunner

    made = bench.build()
    bench.need(isinstance(made, click.Command), f"it gave {type(made).__name__}, expected a click command")
    bench.note = "--help"
    done = CliRunner().invoke(made, ["--help"])
    bench.need(
        done.exit_code == 0 and "Usage" in done.output, f"--help ended with {done.exit_code}: {done.output[:200]}"
    )


EXECUTORS: Sequence[tuple[str, Check]] = (("executor.all", every_task),)
TRACKERS: Sequence[tuple[str, Check]] = (("tracker.calls", every_call),)
TEMPLATES: Sequence[tuple[str, Check]] = (("template.text", text),)
COMMANDS: Sequence[tuple[str, Check]] = (("command.click", shows_help),)
