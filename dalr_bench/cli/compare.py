"""`dalr-bench compare`: one row of a table against another, task by task."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dalr_bench.errors import counted

if TYPE_CHECKING:
    from dalr_bench.comparison import Compared
    from dalr_bench.statistics.seeds import Interval

_EXAMPLE = """\b
Examples:
  dalr-bench compare results/ablation DALR@teacher=image-text baseline
  dalr-bench compare results/ablation DALR@teacher=image-text untrained@teacher=image-text --resamples 20000 --json"""
_HEAD = ("task", "A", "B", "A-B", "95 % interval", "p", "p Holm", "p seeds", "d [95 %]", "P(A>B)", "rests on")


@click.command("compare", short_help="Test whether two rows differ.", epilog=_EXAMPLE)
@click.argument("results", type=click.Path(path_type=Path))
@click.argument("a")
@click.argument("b")
@click.option("--tasks", multiple=True, metavar="NAME", help="Only these columns: a task, task.metric, a glob.")
@click.option(
    "--resamples", default=10_000, show_default=True, type=click.IntRange(100, 1_000_000),
    help="Draws of the examples.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the draws.")
@click.option("--mix-protocols", is_flag=True, help="Compare even where the rows were scored in different ways.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(
    results: Path, a: str, b: str, tasks: tuple[str, ...], resamples: int, seed: int, mix_protocols: bool, as_json: bool
) -> None:
    """Row A of RESULTS against row B, paired by seed and by example: difference, interval, p and what they rest on.

    A and B are variants, with their place on the grid where there are several: DALR@teacher=image-text.
    """
    from dalr_bench.comparison import Asked, compare
    from dalr_bench.record.results import read_results

    asked = Asked(tasks, resamples, seed, mix_protocols)
    ours, theirs, lines = compare(read_results(results), a, b, asked)
    if as_json:
        head = {"a": ours, "b": theirs, "unit": "x100", "level": 0.95, "resamples": resamples, "seed": seed}
        click.echo(json.dumps({**head, "tasks": [_line_json(line) for line in lines]}, indent=2, ensure_ascii=False))
    else:
        click.echo(_text(ours, theirs, lines, resamples), nl=False)


# ------------------------------------------------------------------ JSON
def _line_json(line: Compared) -> dict[str, Any]:
    test, flips = line.difference, line.flips
    return {
        "task": line.column.name,
        "a": 100 * line.ours,
        "b": 100 * line.theirs,
        "difference": 100 * test.mean,
        "interval": _ends(test.interval, 100),
        "error": None if test.error is None else 100 * test.error,
        "p": test.p,
        "p_holm": line.holm,
        "rests_on": test.basis,
        "seeds": line.pairs,
        "examples": line.examples or None,
        "why_no_examples": line.why or None,
        "bootstrap_interval": _ends(test.bootstrap, 100),
        "permutation": {
            "p": flips.two_sided,
            "floor": flips.floor_two_sided,
            "p_greater": flips.greater,
            "floor_greater": flips.floor_greater,
            "exact": flips.exact,
        },
        "effect": None if line.effect is None else {"d": line.effect.size, "interval": _ends(line.effect.interval, 1)},
        "probability_of_improvement": line.improvement,
    }


def _ends(interval: Interval | None, scale: float) -> list[float] | None:
    return None if interval is None else [scale * interval.low, scale * interval.high]


# ------------------------------------------------------------------ text
def _text(ours: str, theirs: str, lines: Sequence[Compared], resamples: int) -> str:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from dalr_bench.table.notes import clean

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for name in _HEAD:
        grid.add_column(Text(name), justify="left" if name in ("task", "rests on") else "right", no_wrap=True)
    for line in lines:
        grid.add_row(*map(Text, _cells(line)))
    head = [f"A = {clean(ours)}", f"B = {clean(theirs)}"]
    return "\n".join([*head, _drawn(grid), *_captions(lines, resamples)]) + "\n"


def _drawn(grid: Any) -> str:
    import io
    import shutil

    from rich.console import Console

    width = max(shutil.get_terminal_size().columns, 200) if sys.stdout.isatty() else 10_000
    console = Console(file=io.StringIO(), width=width, color_system=None, _environ={})
    console.print(grid)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def _cells(line: Compared) -> list[str]:
    test, effect = line.difference, line.effect
    return [
        line.column.label,
        f"{100 * line.ours:.2f}",
        f"{100 * line.theirs:.2f}",
        f"{100 * test.mean + 0.0:+.2f}",
        "–" if test.interval is None else f"{100 * test.interval.low:+.2f} to {100 * test.interval.high:+.2f}",
        _p(test.p),
        _p(line.holm),
        _p(line.flips.two_sided),
        "–" if effect is None else f"{effect.size:+.2f} [{effect.interval.low:+.2f}, {effect.interval.high:+.2f}]",
        f"{line.improvement:.2f}",
        _basis(line),
    ]


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "<.0001" if value < 1e-4 else f"{value:.4f}"


def _basis(line: Compared) -> str:
    seeds = counted(line.pairs, "seed")
    return f"{seeds} × {counted(line.examples, 'example', ',')}" if line.examples else f"{seeds} only"


def _captions(lines: Sequence[Compared], resamples: int) -> list[str]:
    out = [
        "Scores ×100, paired by seed. The interval and p (two-sided) hold for new draws of what they rest on: seeds, "
        f"examples (drawn {resamples:,} times), or both. p Holm: corrected for the {counted(len(lines), 'task')} shown."
    ]
    for pairs in sorted({line.pairs for line in lines}):
        flips = next(line.flips for line in lines if line.pairs == pairs)
        out.append(
            f"p seeds: {'exact' if flips.exact else 'drawn'} sign flips over {counted(pairs, 'pair')}, two-sided; it cannot fall "
            f"below {flips.floor_two_sided:.4g} (one-sided {flips.floor_greater:.4g})."
        )
    if any(line.pairs == 1 for line in lines):
        out.append("One pair of seeds: what is said holds for these two runs, not for the methods.")
    for why in dict.fromkeys(line.why for line in lines if line.why):
        names = ", ".join(line.column.label for line in lines if line.why == why)
        out.append(f"Seeds only for {names}: {why}.")
    out.append("d: mean difference by its deviation over seeds. P(A>B): share of pairs of runs in which A is better.")
    return out
