"""`dalr-bench plan`: what would run, what is done, what it will cost. Loads no model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dalr_bench.suite import Plan
    from dalr_bench.suite.estimate import State

_EXAMPLE = """\b
Examples:
  dalr-bench plan suites/ablation.yaml
  dalr-bench plan suites/ablation.yaml --only 'base*' --seed 0 --set train.steps=100 --json"""


@click.command("plan", epilog=_EXAMPLE)
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
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(
    suite: Path,
    results: Path,
    only: tuple[str, ...],
    seeds: tuple[int, ...],
    overrides: tuple[str, ...],
    smoke: bool,
    as_json: bool,
) -> None:
    """Tell which runs SUITE comes to, in the order they can be run, and which of them are done."""
    from dalr_bench.plugin.manager import load as load_plugins
    from dalr_bench.suite import expand, load
    from dalr_bench.suite.estimate import plan_document

    read = load(suite, overrides, smoke)
    catalogue = load_plugins(frozenset({"backbone", "source", "teacher", "loss", "evaluator"})).catalogue
    plan = expand(read, catalogue, only, seeds)
    document = plan_document(plan, *_recorded(plan, results / (f"{read.name}-smoke" if smoke else read.name)))
    if as_json:
        click.echo(json.dumps(document, indent=2))
    elif sys.stdout.isatty():
        _table(document)
    else:
        click.echo("\n".join(_lines(document)))


def _recorded(plan: Plan, folder: Path) -> tuple[dict[str, State], dict[str, float]]:
    """Each run's state, and the seconds of those that are done, from the run folders."""
    from dalr_bench.record.store import read_record

    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    states: dict[str, State] = {}
    seconds: dict[str, float] = {}
    for run in plan.runs:
        record = read_record(folder / run.id) if run.id in there else None
        states[run.id] = "missing" if record is None else "done" if record.status == "done" else "failed"
        if record is not None and record.status == "done" and record.seconds:
            seconds[run.id] = record.seconds.get("total", sum(record.seconds.values()))
    return states, seconds


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
    steps = "steps unknown (epochs)" if total["steps"] is None else f"{total['steps']} steps to do"
    return f"{document['suite']}: {total['runs']} runs ({', '.join(states)}); {steps}, {_span(total['seconds'])}"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "time unknown"
    return f"about {round(seconds)} s" if seconds < 120 else f"about {round(seconds / 60)} min"


def _table(document: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(document["title"] or document["suite"]), box=None, header_style="bold")
    for name, side in (("run", "left"), ("state", "left"), ("steps", "right"), ("time", "right"), ("needs", "left")):
        table.add_column(name, justify="right" if side == "right" else "left", overflow="fold")
    for run in document["runs"]:
        if run["state"] == "duplicate":
            table.add_row(escape(_cell(run)), "duplicate", "", "", escape(f"= {run['id']}"), style="dim")
            continue
        cost = run["estimate"]
        steps, took = ("" if cost[key] is None else f"{cost[key]:.0f}" for key in ("steps", "seconds"))
        table.add_row(escape(run["id"]), run["state"], steps, took and f"{took} s", escape(", ".join(run["needs"])))
    console = Console()
    console.print(table)
    console.print(_summary(document), markup=False, highlight=False)
