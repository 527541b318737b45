"""`dalr-bench explain`: one run, value by value: where each comes from and whether it decides the result."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dalr_bench.suite import Explanation
    from dalr_bench.suite.against import Difference

_EXAMPLE = """\b
Examples:
  dalr-bench explain suites/ablation.yaml baseline
  dalr-bench explain suites/ablation.yaml DALR --seed 1 --axis teacher=image-text --json
  dalr-bench explain suites/ablation.yaml DALR --against baseline
  dalr-bench explain results/a/RUN --against results/b/RUN"""


@click.command("explain", short_help="Show a run's config and where each value comes from.", epilog=_EXAMPLE)
@click.argument("suite", type=click.Path(path_type=Path))
@click.argument("variant", required=False)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="The seed; the suite's first without it.")
@click.option("--axis", "axes", multiple=True, metavar="NAME=VALUE", help="A value of an axis; its first without it.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change the suite, e.g. train.steps=100.")
@click.option("--smoke", is_flag=True, help="With the suite's `smoke` overlay.")
@click.option("--against", metavar="VARIANT[@AXIS=VALUE]", help="Only what differs from this one, and why they are two runs.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(
    suite: Path,
    variant: str | None,
    seed: int | None,
    axes: tuple[str, ...],
    overrides: tuple[str, ...],
    smoke: bool,
    against: str | None,
    as_json: bool,
) -> None:
    """Show the resolved config of VARIANT in SUITE: every value, its origin (FILE:LINE:COLUMN, default or --set), and what makes
    the run's identity. SUITE may be a run folder, to be held against another one."""
    from dalr_bench.plugin.manager import load as load_plugins
    from dalr_bench.suite import explain, load

    if suite.is_dir():
        _folders(suite, against, as_json)
        return
    if variant is None:
        raise click.UsageError("Missing argument 'VARIANT': which variant of the suite?")
    catalogue = load_plugins(frozenset({"backbone", "source", "teacher", "loss", "evaluator"})).catalogue
    chosen = dict(_pair(axis) for axis in axes)
    loaded = load(suite, overrides, smoke)
    found = explain(loaded, catalogue, variant, seed, chosen)
    if against is not None:
        name, *more = against.split("@")
        other = explain(loaded, catalogue, name, seed, chosen | dict(_pair(axis) for axis in more))
        _differences(Sides(found.run_id, other.run_id, found.identity, other.identity), _differing(found, other), as_json)
        return
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else "\n".join(_lines(found)))


@dataclass(frozen=True)
class Sides:
    """Two runs by id and identity; the identity is None where a folder does not say."""

    a: str
    b: str
    identity_a: str | None
    identity_b: str | None


def _differing(a: Explanation, b: Explanation) -> Sequence[Difference]:
    from dalr_bench.suite.against import against

    return against(a, b)


def _folders(a: Path, b: str | None, as_json: bool) -> None:
    from dalr_bench.config import EXECUTION
    from dalr_bench.record.store import read_config
    from dalr_bench.suite.against import folders_against

    if b is None:
        raise click.UsageError("a run folder is held against another one: --against FOLDER")
    one, two = read_config(a), read_config(b)
    sides = Sides(a.name, Path(b).name, one.get("identity"), two.get("identity"))
    _differences(sides, folders_against(one, two, EXECUTION), as_json)


def _differences(sides: Sides, found: Sequence[Difference], as_json: bool) -> None:
    """What differs, what counts first; and whether it makes two runs."""
    equal = None if None in (sides.identity_a, sides.identity_b) else sides.identity_a == sides.identity_b
    if as_json:
        document = {"a": sides.a, "b": sides.b, "equal": equal, "differences": [each.to_json() for each in found]}
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(f"{sides.a} against {sides.b}")
    for each in sorted(found, key=lambda each: not each.counts):
        values = (json.dumps(value, ensure_ascii=False) for value in (each.a, each.b))
        click.echo(f"  {each.path}: {' → '.join(values)}{'' if each.counts else '  (not in the identity)'}")
    if equal:
        click.echo("one identity: equal runs, computed once")
    elif not any(each.counts for each in found):
        click.echo("no value differs that counts: the content of data or models does, or a component's version")


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
