"""`dalr-bench run`: train and score every cell of a suite that is not done yet, then print the table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dalr_bench.errors import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from rich.console import Console

    from dalr_bench.dispatch import Work
    from dalr_bench.execute.queue import TaskQueue
    from dalr_bench.plugin.manager import Plugins
    from dalr_bench.publish.replay import Replay
    from dalr_bench.suite import Plan
    from dalr_bench.types import Part

_EXAMPLE = """\b
Examples:
  dalr-bench run suites/ablation.yaml
  dalr-bench run suites/ablation.yaml --smoke
  dalr-bench run suites/ablation.yaml --only DALR --seed 0 --set train.steps=100"""


@click.command("run", short_help="Train and score a suite, print its table.", epilog=_EXAMPLE)
@click.argument("suite", type=click.Path(dir_okay=False))
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Where run folders go.",
)
@click.option("--only", multiple=True, metavar="GLOB", help="Only these variants (and what they need).")
@click.option("--seed", "seeds", multiple=True, type=int, metavar="N", help="Only these seeds of the suite.")
@click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change a value of the suite, e.g. train.steps=100."
)
@click.option("--smoke", is_flag=True, help="The suite's own overlay that runs in a minute anywhere.")
@click.option(
    "--executor", metavar="NAME[:KEY=VALUE,...]", help="local (default), inline, torchrun, ray, slurm, or one a plugin adds."
)
@click.option("--jobs", type=click.IntRange(min=1), help="Runs at once. Default: one a GPU, or one a core.")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="Where to compute."
)
@click.option(
    "--fail-fast/--keep-going", default=False, show_default=True,
    help="After the first failure start nothing more, or all that does not need it.",
)  # fmt: skip
@click.option(
    "--checkpoint-every", metavar="N", help="500steps, 90s, 10min (default), 2h or never; a signal always makes one."
)
@click.option(
    "--retain", type=click.Choice(["best", "last", "none"]),
    help="What stays of a run: its weights (best, default), the last checkpoint too (last), neither (none).",
)  # fmt: skip
@click.option("--offline", is_flag=True, help="Never try the network.")
@click.option("--deterministic", is_flag=True, help="The same bits every time: such algorithms only, one CPU thread; slower.")
@click.option(
    "--tracker", "trackers", multiple=True, metavar="NAME[:KEY=VALUE,...]",
    help="Log to tensorboard, wandb, mlflow, or one a plugin adds.",
)  # fmt: skip
def command(
    suite: str,
    results: Path,
    only: tuple[str, ...],
    seeds: tuple[int, ...],
    overrides: tuple[str, ...],
    smoke: bool,
    executor: str | None,
    jobs: int | None,
    device: str,
    fail_fast: bool,
    checkpoint_every: str | None,
    retain: str | None,
    offline: bool,
    deterministic: bool,
    trackers: tuple[str, ...],
) -> int:
    """Train and score every cell of SUITE that is not done yet, then print its table.

    A finished run is never run again; a failed one is tried again. Exit code 1: some runs failed. Started by torchrun on several
    processes or machines, all of them share each run. SUITE may be a bundle
    (FILE.zip of `dalr-bench bundle`): its run is run again and compared with the bundle's scores.
    """
    import os
    import time

    from rich.console import Console

    from dalr_bench import keeping
    from dalr_bench.dispatch import dispatch
    from dalr_bench.launched import follow, leading, planning
    from dalr_bench.plugin.manager import load as load_plugins
    from dalr_bench.plugin.named import named
    from dalr_bench.plugin.trackers import asked_for, attach, told_to_workers
    from dalr_bench.record.environment import DETERMINISTIC

    if offline:
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if deterministic:
        os.environ[DETERMINISTIC] = "1"  # workers inherit it; it takes effect where a device is chosen
    if (ended := follow(executor, device)) is not None:
        return ended
    console = Console(stderr=True)
    plugins = load_plugins()
    watching = asked_for(trackers)
    if executor:
        named(plugins.catalogue, "executor", executor)  # a slip is told before anything is written, and where nothing is left to do
    attach(plugins, watching, lambda run, text: _say(console, f"warning {run}: {text}"))
    with planning(executor, device):
        asked = Asked(suite, overrides, smoke, only, seeds)
        bundled = _bundled(asked, plugins)
        if bundled is None:
            plan, whole, name = _plans(asked, plugins)
        else:
            plan, whole, name = bundled.plan, bundled.plan, f"{bundled.here}-bundle"
        folder = results / name
        with keeping.told_to_workers(checkpoint_every, retain):
            work = dispatch(plan, whole, folder, plugins.catalogue)
    _greet(console, work)
    code = 0
    with leading(plugins, executor, device) as lead:
        if work.todo:
            queue, began = work.queue(fail_fast), time.monotonic()
            part = _executor(plugins, executor, jobs, queue)
            built = plugins.catalogue.build("executor", part, jobs=jobs, device=device, perform=lead.perform)
            with told_to_workers(watching), keeping.told_to_workers(checkpoint_every, retain):
                _execute(queue, built, console)
            lead.code = code = _close(console, queue, folder)
            _took(console, work, time.monotonic() - began, (part.name if executor else "local", jobs))
    _print_table(console, folder)
    if bundled is not None:
        _compare(console, bundled, folder, plugins)
    return code


@dataclass(frozen=True)
class Asked:
    """Which runs of which suite the command line means."""

    suite: str
    overrides: Sequence[str]
    smoke: bool
    only: Sequence[str]
    seeds: Sequence[int]


def _plans(asked: Asked, plugins: Plugins) -> tuple[Plan, Plan, str]:
    """The chosen runs, all runs, and the name of the results folder."""
    from dalr_bench.suite import expand, load

    loaded = load(asked.suite, asked.overrides, asked.smoke)
    plan = expand(loaded, plugins.catalogue, asked.only, asked.seeds)
    whole = expand(loaded, plugins.catalogue) if asked.only or asked.seeds else plan
    return plan, whole, f"{loaded.name}-smoke" if asked.smoke else loaded.name


def _bundled(asked: Asked, plugins: Plugins) -> Replay | None:
    """The bundle that is meant; None where it is a suite."""
    from dalr_bench.errors import SuiteError
    from dalr_bench.publish.replay import is_bundle, replay

    if not is_bundle(asked.suite):
        return None
    if asked.overrides or asked.smoke or asked.only or asked.seeds:
        raise SuiteError("a bundle is one run, run as it was: --only, --seed, --set and --smoke go with suites")
    return replay(Path(asked.suite), plugins.catalogue)


def _compare(console: Console, bundled: Replay, folder: Path, plugins: Plugins) -> None:
    """Say how the scores compare with the bundle's, and what is installed otherwise."""
    from dalr_bench.publish.replay import compared, differences
    from dalr_bench.record.environment import environment
    from dalr_bench.record.store import read_record

    there = bundled.records.get(bundled.run_id)
    lines = [compared(there, read_record(folder / bundled.here))]
    lines += [f"{one} is {here} here: its components or data count as others" for one, here in bundled.renamed.items()]
    lines += differences(there, environment(None, plugins.catalogue))
    for line in lines:
        _say(console, line)


def _say(console: Console, line: str) -> None:
    from dalr_bench.cli.show import printable

    console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def _executor(plugins: Plugins, asked: str | None, jobs: int | None, queue: TaskQueue) -> Part:
    """The executor asked for; without a word several runs go to worker processes, a single one stays here."""
    from dalr_bench import launched
    from dalr_bench.plugin.named import named

    if launched.processes() > 1:
        return launched.executor(asked)
    return named(plugins.catalogue, "executor", asked or ("inline" if len(queue) == 1 or jobs == 1 else "local"))


def _execute(queue: TaskQueue, executor: Any, console: Console) -> None:
    from dalr_bench.cli.show import display

    with display(len(queue), console) as shown:

        def tell(event: Mapping[str, Any]) -> None:
            shown.event(event)

        queue.told = tell
        executor.execute(queue, tell)


def _greet(console: Console, work: Work) -> None:
    from dalr_bench.folders import room

    plan = work.plan
    name = plan.suite.title or plan.suite.name
    shared = len(plan.cells) - len({cell.run for cell in plan.cells})
    before = len(plan.runs) - len(work.todo) - len(work.taken)
    parts = [counted(len(plan.cells), "cell"), counted(len(plan.runs), "run")]
    parts += [f"{counted(shared, 'cell')} {'shares' if shared == 1 else 'share'} a run with another"] if shared else []
    parts += [f"{before} done before"] if before else []
    parts += [f"{len(work.taken)} taken over from other suites"] if work.taken else []
    _say(console, f"{name}: {', '.join(parts)} → {work.folder}")
    tight = room(work.folder, [run for run in plan.runs if run not in work.todo], work.todo)
    if tight:
        _say(console, f"warning: {tight}")


def _took(console: Console, work: Work, seconds: float, on: tuple[str, int | None]) -> None:
    """What it took, and the estimate made beforehand beside it."""
    from dalr_bench.cli.show import span
    from dalr_bench.suite.estimate import told

    guess = work.wall_seconds("inline" if len(work.todo) == 1 or on[1] == 1 else on[0], on[1])
    sources = sorted({str(work.costs[run.id].source) for run in work.todo})
    beside = "" if guess is None else f"; the estimate was {span(guess)} (from: {told(sources)})"
    _say(console, f"took {span(seconds)}{beside}")


def _print_table(console: Console, folder: Path) -> None:
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
            _say(console, f"no table: {fault}")
        return
    click.echo(terminal(table, width, styled), nl=False)


def _close(console: Console, queue: TaskQueue, folder: Path) -> int:
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
        _say(console, f"where in the code: {first}")
    kinds = set(codes.values())
    return kinds.pop() if len(bad) == len(queue) and len(kinds) == 1 else EXIT_SOME_FAILED
