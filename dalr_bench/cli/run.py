"""`dalr-bench run`: train and score every cell of a suite that is not done yet, then print the table."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dalr_bench.cli.said import close, compare, greet, print_table, say, took

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
    from dalr_bench import keeping
    from dalr_bench.cli.show import Log
    from dalr_bench.launched import follow, leading
    from dalr_bench.plugin.manager import load as load_plugins
    from dalr_bench.plugin.trackers import asked_for, told_to_workers

    _tell_everyone(offline, deterministic)
    if (ended := follow(executor, device)) is not None:
        return ended
    console, plugins, watching = Log(), load_plugins(), asked_for(trackers)
    _make_ready(console, plugins, executor, watching)
    with leading(plugins, executor, device) as lead, keeping.told_to_workers(checkpoint_every, retain), told_to_workers(watching):
        work, bundled = _planned(Asked(suite, overrides, smoke, only, seeds), results, plugins)
        greet(console, work)
        hands = Hands(executor, jobs, device, fail_fast, lead.perform)
        lead.code = _train(console, work, plugins, hands) if work.todo else 0
    with suppress(BrokenPipeError):  # `| head`: the exit code still says how the runs ended
        print_table(console, work.folder)
    if bundled is not None:
        compare(console, bundled, work.folder, plugins)
    return lead.code


@dataclass(frozen=True)
class Asked:
    """Which runs of which suite the command line means."""

    suite: str
    overrides: Sequence[str]
    smoke: bool
    only: Sequence[str]
    seeds: Sequence[int]


@dataclass(frozen=True)
class Hands:
    """Who trains, and how."""

    executor: str | None
    jobs: int | None
    device: str
    fail_fast: bool
    perform: Any


def _tell_everyone(offline: bool, deterministic: bool) -> None:
    """What libraries read from the environment; workers inherit it."""
    import os

    from dalr_bench.record.environment import DETERMINISTIC

    if offline:
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if deterministic:
        os.environ[DETERMINISTIC] = "1"  # it takes effect where a device is chosen


def _make_ready(console: Console, plugins: Plugins, executor: str | None, watching: Sequence[str]) -> None:
    from dalr_bench.plugin.named import named
    from dalr_bench.plugin.trackers import attach

    if executor:
        named(plugins.catalogue, "executor", executor)  # a slip is told before anything is written, and where nothing is left to do
    attach(plugins, watching, lambda run, text: say(console, f"warning {run}: {text}"))


def _planned(asked: Asked, results: Path, plugins: Plugins) -> tuple[Work, Replay | None]:
    """What there is to do, with its folders laid out, and the bundle if it is one."""
    from dalr_bench.dispatch import dispatch

    _check_name(results)
    bundled = _bundled(asked, plugins)
    if bundled is None:
        plan, whole, name = _plans(asked, plugins)
    else:
        plan, whole, name = bundled.plan, bundled.plan, f"{bundled.here}-bundle"
    return dispatch(plan, whole, results / name, plugins.catalogue), bundled


def _check_name(results: Path) -> None:
    """Told before hours of training: the library that writes weights takes no other names."""
    from dalr_bench.errors import SuiteError

    try:
        str(results).encode("utf-8")
    except UnicodeEncodeError:
        raise SuiteError(f"--results {str(results)!a}: the name is not UTF-8, and weights cannot be written there") from None


def _train(console: Console, work: Work, plugins: Plugins, hands: Hands) -> int:
    import time

    queue, began = work.queue(hands.fail_fast), time.monotonic()
    part = _executor(plugins, hands.executor, hands.jobs, queue)
    built = plugins.catalogue.build("executor", part, jobs=hands.jobs, device=hands.device, perform=hands.perform)
    _execute(queue, built, console)
    code = close(console, queue, work.folder)
    took(console, work, time.monotonic() - began, (part.name if hands.executor else "local", hands.jobs))
    return code


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
