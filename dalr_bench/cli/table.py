"""`dalr-bench table`: the table of a suite's results."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dalr_bench.cli.numbers import Number

if TYPE_CHECKING:
    from dalr_bench.record.results import Results
    from dalr_bench.table.model import Significance, Spread, Table

_EXAMPLE = """\b
Examples:
  dalr-bench table results/ablation
  dalr-bench table results/ablation --format latex --baseline baseline --out table.tex"""

_ENDINGS = {
    ".tex": "latex", ".md": "markdown", ".html": "html", ".htm": "html", ".csv": "csv", ".json": "json", ".typ": "typst",
}  # fmt: skip


@click.command("table", short_help="Print the table of results.", epilog=_EXAMPLE)
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "--format", "format_", metavar="NAME",
    help="terminal, markdown, latex, html, csv, json, typst, or one a plugin adds. Default: by the ending of --out (.tex, .md, "
    "...), else terminal.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write this file instead of printing.")
@click.option("--tasks", multiple=True, metavar="NAME", help="Only these columns: a task, task.metric, a glob.")
@click.option("--baseline", metavar="VARIANT", help="Show differences to this variant, paired by seed.")
@click.option("--template", type=click.Path(path_type=Path), help="A Jinja template of your own, run in a sandbox.")
@click.option(
    "--reported", multiple=True, metavar="CSV|NAME",
    help="Published rows: a file (row,task,metric,value,source[,std,protocol]), or the name of packaged ones.",
)  # fmt: skip
@click.option("--gap", is_flag=True, help="Show differences to the published numbers (`expect`, --reported).")
@click.option("--mix-protocols", is_flag=True, help="Print a column even where its rows were scored in different ways.")
@click.option("--cost", is_flag=True, help="Add what a run took: seconds, memory, energy, and each loss term a step.")
@click.option(
    "--spread", type=click.Choice(["std", "sem", "ci"]), help="What follows ±: sample deviation over seeds (default), "
    "standard error, or half a 95 % t-interval (default of --contributions).",
)  # fmt: skip
@click.option(
    "--significance", is_flag=False, flag_value=0.05, type=Number(0, 1, min_open=True, max_open=True),
    metavar="LEVEL", help="Bold also for rows not shown to differ from the best, at this level (0.05).",
)  # fmt: skip
@click.option("--contributions", "parts", is_flag=True, help="What each component adds, instead of the rows.")
def command(
    results: Path,
    format_: str | None,
    out: Path | None,
    tasks: tuple[str, ...],
    baseline: str | None,
    template: Path | None,
    reported: tuple[str, ...],
    gap: bool,
    mix_protocols: bool,
    cost: bool,
    spread: Spread | None,
    significance: float | None,
    parts: bool,
) -> None:
    """Print the table of RESULTS: a row a variant, a column a task, means over seeds."""
    from dalr_bench.record.files import write_text
    from dalr_bench.record.results import outcomes, read_results
    from dalr_bench.table.build import build
    from dalr_bench.table.contributions import contributions
    from dalr_bench.table.model import Request
    from dalr_bench.table.reported import find_reported, read_reported
    from dalr_bench.table.terminal import styles

    if parts:
        _only_pairs({"baseline": baseline, "gap": gap, "cost": cost, "reported": reported, "significance": significance})
    published = [row for named in reported for row in read_reported(find_reported(named))]
    found = read_results(results)
    after = spread or ("ci" if parts else "std")
    test = None if significance is None else _test(found, significance)
    request = Request(tasks, baseline, gap, mix_protocols, cost, published, after, test)
    table = (contributions if parts else build)(found.summary, outcomes(found), request)
    named = format_ or _ENDINGS.get(out.suffix if out else "", "terminal")
    text = _text(table, named, template, styled=out is None and styles(sys.stdout))
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(out, text)


def _only_pairs(given: Mapping[str, object]) -> None:
    """Refuse what a table of contributions would leave out without a word."""
    from dalr_bench.errors import SuiteError

    without = [f"--{name}" for name, value in given.items() if value]
    if without:
        raise SuiteError(f"--contributions shows differences of pairs of rows: leave out {', '.join(without)}")


def _test(found: Results, level: float) -> Significance:
    from dalr_bench.comparison import significance

    return significance(found, level)


def _text(table: Table, format_: str, template: Path | None, styled: bool) -> str:
    from dalr_bench.table.render import FORMATS, render, render_template
    from dalr_bench.table.terminal import terminal

    if template is not None:
        html = format_ == "html" or ".html" in template.suffixes
        return render_template(table, _read(template), str(template), html)
    if format_ == "terminal":
        return terminal(table, _width() if styled else None, styled)
    if format_ in FORMATS:
        return render(table, format_)
    return render_template(table, _plugin_template(format_), format_, html=format_.endswith("html"))


def _read(path: Path) -> str:
    from dalr_bench.errors import DataError, Fault, reason

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(Fault(f"the template cannot be read: {reason(error)}", file=str(path))) from None


def _plugin_template(name: str) -> str:
    from dalr_bench.errors import SuiteError, nearest
    from dalr_bench.plugin.manager import load
    from dalr_bench.table.render import FORMATS
    from dalr_bench.types import Part

    catalogue = load(frozenset({"template"})).catalogue
    known = catalogue.names("template")
    if name not in known:
        raise SuiteError(f"--format {name}: no format is called that. {nearest(name, [*FORMATS, *known])}")
    return str(catalogue.build("template", Part(name)))


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns
