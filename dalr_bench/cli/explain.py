"""`dalr-bench explain`: one run, value by value: where each comes from and whether it decides the result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dalr_bench.suite import Explanation

_EXAMPLE = """\b
Examples:
  dalr-bench explain suites/ablation.yaml baseline
  dalr-bench explain suites/ablation.yaml DALR --seed 1 --axis teacher=image-text --json"""


@click.command("explain", epilog=_EXAMPLE)
@click.argument("suite", type=click.Path(path_type=Path))
@click.argument("variant")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="The seed; the suite's first without it.")
@click.option("--axis", "axes", multiple=True, metavar="NAME=VALUE", help="A value of an axis; its first without it.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change the suite, e.g. train.steps=100.")
@click.option("--smoke", is_flag=True, help="With the suite's `smoke` overlay.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(
    suite: Path,
    variant: str,
    seed: int | None,
    axes: tuple[str, ...],
    overrides: tuple[str, ...],
    smoke: bool,
    as_json: bool,
) -> None:
    """Show the resolved config of VARIANT in SUITE: every value, its origin (FILE:LINE:COLUMN, default or --set), and what makes
    the run's identity."""
    from dalr_bench.plugin.manager import load as load_plugins
    from dalr_bench.suite import explain, load

    catalogue = load_plugins(frozenset({"backbone", "source", "teacher", "loss", "evaluator"})).catalogue
    found = explain(load(suite, overrides, smoke), catalogue, variant, seed, dict(_pair(axis) for axis in axes))
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else "\n".join(_lines(found)))


def _pair(axis: str) -> tuple[str, str]:
    name, equals, label = axis.partition("=")
    if not equals:
        raise click.BadParameter(f"'{axis}' is not NAME=VALUE", param_hint="--axis")
    return name, label


def _lines(found: Explanation) -> list[str]:
    """Columns: path = value, origin, and a note where a value does not count as it is written."""
    texts = [f"{line.path} = {json.dumps(line.value, ensure_ascii=False)}" for line in found.lines]
    width = min(max(map(len, texts)), 72)
    notes = {"no": "  (not in the identity)", "by content": "  (its content is in the identity)"}
    notes["by the run it names"] = "  (that run's identity is in the identity)"
    out = [f"run {found.run_id}", ""]
    out += [
        f"{text:<{width}}  {line.origin}{notes.get(line.counts, '')}"
        for text, line in zip(texts, found.lines, strict=True)
    ]
    out += [
        "",
        f"identity {found.identity}",
        "  made of every value above but those marked, and of the components' versions:",
    ]
    out += [f"  {path}: {origin}" for path, origin in found.components.items()]
    out += [f"  needs {who}: {run}" for who, run in found.needs.items()]
    return out
