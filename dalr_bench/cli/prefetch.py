"""`dalr-bench prefetch`: what a suite reads from outside, whether it is there, and fetching what the hub has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dalr_bench.prefetching import Found

_EXAMPLE = """\b
Examples:
  dalr-bench prefetch suites/ablation.yaml
  dalr-bench prefetch suites/methods/dalr.yaml --offline --json"""


@click.command("prefetch", short_help="List and fetch the models and data a suite needs.", epilog=_EXAMPLE)
@click.argument("suite", type=click.Path(path_type=Path))
@click.option("--only", multiple=True, metavar="GLOB", help="Only these variants (and the runs they need).")
@click.option("--seed", "seeds", multiple=True, type=int, metavar="N", help="Only these of the suite's seeds.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change the suite, e.g. train.steps=100.")
@click.option("--smoke", is_flag=True, help="With the suite's `smoke` overlay.")
@click.option("--offline", is_flag=True, help="Only look; never try the network.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(
    suite: Path,
    only: tuple[str, ...],
    seeds: tuple[int, ...],
    overrides: tuple[str, ...],
    smoke: bool,
    offline: bool,
    as_json: bool,
) -> int:
    """List every model, data set and feature file SUITE needs, fetch what the hub has, and tell how to get the rest.

    Exit code 4: something is missing after all.
    """
    import os

    if offline:
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    from dalr_bench.errors import EXIT_DATA, EXIT_DONE
    from dalr_bench.plugin.manager import load as load_plugins
    from dalr_bench.prefetching import prefetch
    from dalr_bench.suite import load
    from dalr_bench.suite.outside import outside

    read = load(suite, overrides, smoke)
    catalogue = load_plugins(frozenset({"backbone", "source", "teacher", "loss", "evaluator"})).catalogue
    wanted = outside(read, catalogue, only, seeds)
    found = prefetch(wanted, offline or _told_offline(), None if as_json else _tell)
    missing = sum(item.state == "missing" for item in found)
    if as_json:
        document = {"suite": read.name, "requirements": [item.to_json() for item in found], "missing": missing}
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(_summary(read.name, found))
    return EXIT_DATA if missing else EXIT_DONE


def _told_offline() -> bool:
    """Whether the environment says so (HF_HUB_OFFLINE)."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _tell(found: Found) -> None:
    """One line a thing; below a missing one why, and how to come by it."""
    asked = found.wanted.requirement
    at = f" at {asked.revision}" if asked.revision else ""
    where = f"  ({found.where})" if found.state != "missing" else ""
    click.echo(f"{found.state:<9}{asked.kind:<10}{asked.name}{at}{where}  for {', '.join(found.wanted.by)}")
    if found.state == "missing":
        for line in filter(None, (found.why, asked.how)):
            click.echo(f"{'':<9}{line}")


def _summary(name: str, found: list[Found]) -> str:
    if not found:
        return f"{name}: needs nothing from outside"
    counts = {state: sum(item.state == state for item in found) for state in ("there", "fetched", "missing")}
    return f"{name}: {len(found)} needed; " + ", ".join(f"{count} {state}" for state, count in counts.items() if count)
