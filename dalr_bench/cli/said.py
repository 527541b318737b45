"""What `run` says beside its progress: what there is to do, how it ended, what it took; and its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dalr_bench.errors import counted

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from dalr_bench.dispatch import Work
    from dalr_bench.execute.queue import TaskQueue
    from dalr_bench.plugin.manager import Plugins
    from dalr_bench.publish.replay import Replay


def say(console: Console, line: str) -> None:
    """One line, whatever it holds."""
    from dalr_bench.cli.show import printable

    console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def greet(console: Console, work: Work) -> None:
    """What there is to do, and whether the disk has room for it."""
    from dalr_bench.folders import room

    plan = work.plan
    name = plan.suite.title or plan.suite.name
    shared = len(plan.cells) - len({cell.run for cell in plan.cells})
    before = len(plan.runs) - len(work.todo) - len(work.taken)
    parts = [counted(len(plan.cells), "cell"), counted(len(plan.runs), "run")]
    parts += [f"{counted(shared, 'cell')} {'shares' if shared == 1 else 'share'} a run with another"] if shared else []
    parts += [f"{before} done before"] if before else []
    parts += [f"{len(work.taken)} taken over from other suites"] if work.taken else []
    say(console, f"{name}: {', '.join(parts)} → {work.folder}")
    tight = room(work.folder, [run for run in plan.runs if run not in work.todo], work.todo)
    if tight:
        say(console, f"warning: {tight}")


def took(console: Console, work: Work, seconds: float, on: tuple[str, int | None]) -> None:
    """What it took, and the estimate made beforehand beside it."""
    from dalr_bench.cli.show import span
    from dalr_bench.suite.estimate import told

    guess = work.wall_seconds("inline" if len(work.todo) == 1 or on[1] == 1 else on[0], on[1])
    sources = sorted({str(work.costs[run.id].source) for run in work.todo})
    beside = "" if guess is None else f"; the estimate was {span(guess)} (from: {told(sources)})"
    say(console, f"took {span(seconds)}{beside}")


def print_table(console: Console, folder: Path) -> None:
    """The table of the folder; where there is none (rows scored in two ways), why: the runs are done all the same."""
    import shutil
    import sys

    from dalr_bench.errors import SuiteError
    from dalr_bench.record.results import outcomes, read_results
    from dalr_bench.table.build import build
    from dalr_bench.table.model import Request
    from dalr_bench.table.terminal import styles, terminal

    found = read_results(folder)
    styled = styles(sys.stdout)
    width = shutil.get_terminal_size().columns if styled else None
    try:
        table = build(found.summary, outcomes(found), Request())
    except SuiteError as error:
        for fault in error.faults:
            say(console, f"no table: {fault}")
        return
    click.echo(terminal(table, width, styled), nl=False)


def close(console: Console, queue: TaskQueue, folder: Path) -> int:
    """Say what did not finish. 1 if anything did not; where nothing did and all failures are of one kind, that kind's code."""
    from dalr_bench.errors import EXIT_DONE, EXIT_SOME_FAILED
    from dalr_bench.record.store import read_record

    bad = {run: status for run, status in queue.status.items() if status != "done"}
    if not bad:
        return EXIT_DONE
    counts = {status: list(bad.values()).count(status) for status in bad.values()}
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    line = f"{told} of {counted(len(queue), 'run')}; run the same command again to retry"
    console.print(line, markup=False, highlight=False, soft_wrap=True)
    records = {run: read_record(folder / run) for run, status in bad.items() if status == "failed"}
    codes = {run: int(found.extra.get("exit_code", EXIT_SOME_FAILED)) if found else EXIT_SOME_FAILED for run, found in records.items()}
    unforeseen = (folder / run / "error.txt" for run, code in codes.items() if code == EXIT_SOME_FAILED)
    if first := next((str(path) for path in unforeseen if path.is_file()), None):
        say(console, f"where in the code: {first}")
    kinds = set(codes.values())
    return kinds.pop() if len(bad) == len(queue) and len(kinds) == 1 else EXIT_SOME_FAILED


def compare(console: Console, bundled: Replay, folder: Path, plugins: Plugins) -> None:
    """Say how the scores compare with the bundle's, and what is installed otherwise."""
    from dalr_bench.publish.replay import compared, differences
    from dalr_bench.record.environment import environment
    from dalr_bench.record.store import read_record

    there = bundled.records.get(bundled.run_id)
    lines = [compared(there, read_record(folder / bundled.here))]
    lines += [f"{one} is {here} here: its components or data count as others" for one, here in bundled.renamed.items()]
    lines += differences(there, environment(None, plugins.catalogue))
    for line in lines:
        say(console, line)
