"""`dalr-bench plugins new`: a complete distribution to start from."""

from __future__ import annotations

from pathlib import Path

import click

_EXAMPLE = """\b
Examples:
  dalr-bench plugins new teacher word-length
  dalr-bench plugins new loss spread --to my/spread"""


@click.command("new", short_help="Write a plugin to start from.", epilog=_EXAMPLE)
@click.argument("kind")
@click.argument("name")
@click.option("--to", type=click.Path(path_type=Path), metavar="DIR", help="The folder to make (default: ./NAME).")
def command(kind: str, name: str, to: Path | None) -> None:
    """Write a distribution NAME with one component of KIND, its test, README and CI: it installs and keeps the contract.

    KIND: teacher, loss, backbone, source, evaluator, executor, tracker or template.
    """
    from dalr_bench.errors import SuiteError, nearest
    from dalr_bench.plugin.manager import load
    from dalr_bench.scaffold.names import module_name, refuse_taken
    from dalr_bench.scaffold.write import KINDS, write

    if kind not in KINDS:
        raise SuiteError(f"'{kind}' is no kind of component. {nearest(kind, KINDS)}")
    module = module_name(name)
    refuse_taken(kind, module, load(frozenset({kind})).catalogue)
    folder = to if to is not None else Path(name.replace("_", "-"))
    for path in write(kind, name, module, folder):
        click.echo(folder / path)
    click.echo(f"next: pip install -e {folder} && pytest {folder} && dalr-bench plugins check {name.replace('_', '-')}")
