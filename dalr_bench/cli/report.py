"""`dalr-bench report`: a suite's results as one page, and as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dalr_bench.errors import counted

if TYPE_CHECKING:
    from dalr_bench.table.model import Request

_EXAMPLE = """\b
Examples:
  dalr-bench report results/ablation --out report.html
  dalr-bench report results/ablation --out report.html --figures figures --baseline baseline"""


@click.command("report", short_help="Make one self-contained page of results.", epilog=_EXAMPLE)
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the page to this file.")
@click.option(
    "--figures", type=click.Path(path_type=Path, file_okay=False), help="Write every chart there, PDF and PNG."
)
@click.option("--tasks", multiple=True, metavar="NAME", help="Only these columns: a task, task.metric, a glob.")
@click.option(
    "--baseline", metavar="VARIANT", help="Differences are to this variant [default: `baseline`, or the first]."
)
@click.option(
    "--reported", multiple=True, type=click.Path(path_type=Path), metavar="CSV",
    help="Published rows: row,task,metric,value,source[,std,protocol].",
)  # fmt: skip
@click.option("--mix-protocols", is_flag=True, help="Show a column even where its rows were scored in different ways.")
def command(
    results: Path,
    out: Path | None,
    figures: Path | None,
    tasks: tuple[str, ...],
    baseline: str | None,
    reported: tuple[Path, ...],
    mix_protocols: bool,
) -> None:
    """Make a page of RESULTS that needs no network and no other file: table, effects, curves, cost, every run."""
    from dalr_bench.report.libraries import check
    from dalr_bench.table.model import Request
    from dalr_bench.table.reported import read_reported

    if out is None and figures is None:
        raise click.UsageError("nothing to write: give --out FILE.html, --figures DIR, or both")
    check()
    published = [row for path in reported for row in read_reported(path)]
    _write(results, Request(tasks, baseline, mix_protocols=mix_protocols, reported=published), out, figures)


def _write(results: Path, request: Request, out: Path | None, figures: Path | None) -> None:
    from dalr_bench.comparison import effects
    from dalr_bench.record.files import write_text
    from dalr_bench.record.results import read_results
    from dalr_bench.report.build import build_report
    from dalr_bench.report.page import render_page
    from dalr_bench.report.pictures import write_pictures
    from dalr_bench.report.sections import sections

    found = read_results(results)
    report = build_report(found, request, effects(found))
    parts = sections(report)
    if out is not None:
        write_text(out, render_page(report, parts, found.folder, out))
        click.echo(f"wrote {out}")
    if figures is not None:
        written = write_pictures(figures, [figure for part in parts for figure in part.figures])
        click.echo(f"wrote {counted(len(written), 'picture')} to {figures}")
