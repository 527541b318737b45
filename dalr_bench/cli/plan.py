"""`dalr-bench plan`: what would run, what is done, what it will cost. Loads no model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dalr_bench.errors import counted

if TYPE_CHECKING:
    from dalr_bench.suite.known import Past

_EXAMPLE = """\b
Examples:
  dalr-bench plan suites/ablation.yaml
  dalr-bench plan suites/ablation.yaml --only 'base*' --seed 0 --set train.steps=100 --json"""


@click.command("plan", short_help="Tell what would run, and what it will cost.", epilog=_EXAMPLE)
@click.argument("suite", type=click.Path(path_type=Path))
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Where runs are kept.",
)
@click.option("--only", multiple=True, metavar="GLOB", help="Only these variants (and the runs they need).")
@click.option("--seed", "seeds", multiple=True, type=int, metavar="N", help="Only these of the suite's seeds.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change the suite, e.g. train.steps=100.")
@click.option("--smoke", is_flag=True, help="With the suite's `smoke` overlay: a minute, anywhere.")
@click.option("--probe", is_flag=True, help="Train a few steps of each kind of run that was never measured here.")
@click.option("--jobs", type=click.IntRange(min=1), help="Runs at once, as for `run`. Default: one a core.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(
    suite: Path,
    results: Path,
    only: tuple[str, ...],
    seeds: tuple[int, ...],
    overrides: tuple[str, ...],
    smoke: bool,
    probe: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Tell which runs SUITE comes to, in the order they can be run, which of them are done, and what the rest will cost.

    Times come from runs of the same shape recorded on this device, else from a probe, else from a model; each says which.
    """
    from dalr_bench.plugin.manager import load as load_plugins
    from dalr_bench.suite import expand, load
    from dalr_bench.suite.estimate import plan_document
    from dalr_bench.suite.known import Past, workers

    read = load(suite, overrides, smoke)
    catalogue = load_plugins(frozenset({"backbone", "source", "teacher", "loss", "evaluator"})).catalogue
    plan = expand(read, catalogue, only, seeds)
    past = Past(plan, results / (f"{read.name}-smoke" if smoke else read.name), catalogue)
    if probe:
        _probe(past, jobs)
    document = plan_document(plan, past.states, past.known(), workers(jobs), past.start)
    if as_json:
        click.echo(json.dumps(document, indent=2))
    elif sys.stdout.isatty():
        _table(document)
    else:
        click.echo("\n".join(_lines(document)))


def _probe(past: Past, jobs: int | None) -> None:
    from dalr_bench.cli.show import Log, display
    from dalr_bench.plugin.manager import load as load_plugins
    from dalr_bench.plugin.trackers import told_to_workers
    from dalr_bench.probing import Hands, probe

    with told_to_workers([]), display(len(past.unmeasured()), Log()) as shown:
        probe(past, Hands(load_plugins().catalogue, jobs), shown.event)


def _lines(document: dict[str, Any]) -> list[str]:
    """Plain lines: state, run, what it needs."""
    out = []
    for run in document["runs"]:
        if run["state"] == "duplicate":
            tail = f"  ({_cell(run)} is the same run)"
        else:
            tail = f"  needs {', '.join(run['needs'])}" if run["needs"] else ""
        out.append(f"{run['state']:<10}{run['id']}{tail}")
    return [*out, _summary(document)]


def _cell(run: dict[str, Any]) -> str:
    return ", ".join([run["variant"], *(f"{key}={label}" for key, label in run["axes"].items()), f"seed {run['seed']}"])


def _summary(document: dict[str, Any]) -> str:
    total = document["total"]
    states = [f"{total[state]} {state}" for state in ("done", "failed", "missing", "duplicate") if total[state]]
    steps = "steps unknown (epochs)" if total["steps"] is None else f"{counted(total['steps'], 'step')} to do"
    return f"{document['suite']}: {counted(total['runs'], 'run')} ({', '.join(states)}); {steps}, {_cost(total)}"


def _cost(total: dict[str, Any]) -> str:
    """What is left to do: on the clock, by device, in memory and on the disk, and what that rests on."""
    from dalr_bench.suite.estimate import told

    if total["seconds"] is None or total["wall_seconds"] is None:
        return "time unknown"
    parts = [f"about {_span(total['wall_seconds'])} with {total['workers']} at once ({total['device_hours']:.2f} device hours)"]
    parts += [f"{_size(total['memory_bytes'])} memory a run"] if total["memory_bytes"] else []
    parts += [f"{_size(total['disk_bytes'])} disk"] if total["disk_bytes"] else []
    return ", ".join(parts) + (f"; from: {told(total['sources'])}" if total["sources"] else "")


def _span(seconds: float) -> str:
    return f"{round(seconds)} s" if seconds < 120 else f"{round(seconds / 60)} min"


def _size(count: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.3g} {unit}"
        count /= 1000
    raise AssertionError


def _table(document: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from dalr_bench.cli.show import Page

    table = Table(title=escape(document["title"] or document["suite"]), box=None, header_style="bold")
    for name, side in (("run", "left"), ("state", "left"), ("steps", "right"), ("time", "right"), ("from", "left"), ("needs", "left")):
        table.add_column(name, justify="right" if side == "right" else "left", overflow="fold")
    for run in document["runs"]:
        if run["state"] == "duplicate":
            table.add_row(escape(_cell(run)), "duplicate", "", "", "", escape(f"= {run['id']}"), style="dim")
            continue
        cost = run["estimate"]
        steps, took = ("" if cost[key] is None else f"{cost[key]:.0f}" for key in ("steps", "seconds"))
        table.add_row(escape(run["id"]), run["state"], steps, took and f"{took} s", cost["source"] or "", escape(", ".join(run["needs"])))
    console = Page()
    console.print(table)
    console.print(_summary(document), markup=False, highlight=False)
