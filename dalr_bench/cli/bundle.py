"""`dalr-bench bundle`: a finished run as one file that `dalr-bench run` runs again elsewhere."""

from __future__ import annotations

from pathlib import Path

import click

_EXAMPLE = """\b
Example:
  dalr-bench bundle results/ablation baseline-s0 --out baseline.zip
  dalr-bench run baseline.zip"""


@click.command("bundle", short_help="Pack one finished run so that others can run it again.", epilog=_EXAMPLE)
@click.argument("results", type=click.Path(path_type=Path))
@click.argument("run")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE.zip", help="What to write."
)
def command(results: Path, run: str, out: Path) -> None:
    """Pack RUN of RESULTS (its id, or an unambiguous beginning): config, suite, installed versions, record.

    The runs it needs come along as configs and are trained again. Data is named with the hash of its content, not
    packed.
    """
    from dalr_bench.plugin.manager import load
    from dalr_bench.publish.bundle import bundle

    made = bundle(results, run, out, load().catalogue)
    others = f" and {len(made.runs) - 1} it needs" if len(made.runs) > 1 else ""
    click.echo(f"{made.run_id}{others} → {out}")
    for name, known in made.data.items():
        click.echo(f"not packed, to be found by name: {name} ({known})")
