"""`dalr-bench export`: a cell of the table as a model folder that others load, with its card."""

from __future__ import annotations

from pathlib import Path

import click

_EXAMPLE = """\b
Examples:
  dalr-bench export results/ablation DALR --axis teacher=image-text --to models/dalr
  dalr-bench export results/ablation DALR --axis teacher=image-text --seed 1 --to models/dalr-1 --push me/dalr"""


@click.command("export", short_help="Write a finished cell as a sentence-transformers folder.", epilog=_EXAMPLE)
@click.argument("results", type=click.Path(path_type=Path))
@click.argument("variant")
@click.option("--seed", type=int, metavar="N", help="Which seed. Default: the suite's first; no score chooses it.")
@click.option("--axis", "axes", multiple=True, metavar="NAME=VALUE", help="Which cell, where the suite has axes.")
@click.option(
    "--to", "target", type=click.Path(path_type=Path), required=True, metavar="DIR", help="The folder to write."
)
@click.option("--force", is_flag=True, help="Replace a folder that is there.")
@click.option("--push", "repository", metavar="REPO", help="Send it to this repository of the Hugging Face hub.")
def command(
    results: Path,
    variant: str,
    seed: int | None,
    axes: tuple[str, ...],
    target: Path,
    force: bool,
    repository: str | None,
) -> None:
    """Write the model of VARIANT, a finished cell of RESULTS, as a sentence-transformers folder with a model card.

    It loads with SentenceTransformer(DIR) and transformers.AutoModel without dalr-bench: stock modules and safetensors.
    """
    from dalr_bench.plugin.manager import load
    from dalr_bench.publish.cell import pick
    from dalr_bench.publish.folder import export
    from dalr_bench.publish.push import check_login, push

    cell = pick(results, variant, seed, _pairs(axes))
    if repository is not None:
        check_login(repository)
    revision = export(cell, load(), target, force)
    click.echo(f"{cell.record.run_id} → {target} (revision {revision[:12]})")
    if repository is not None:
        click.echo(f"sent to {push(target, repository)}")


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    from dalr_bench.errors import SuiteError

    out = {}
    for text in texts:
        name, mark, label = text.partition("=")
        if not mark:
            raise SuiteError(f"--axis {text}: expected NAME=VALUE")
        out[name] = label
    return out
