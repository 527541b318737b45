"""`dalr-bench score`: any pretrained sentence encoder through the evaluators, with published rows beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dalr_bench.errors import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from rich.console import Console

    from dalr_bench.evaluate.encoder import Pace, Progress
    from dalr_bench.scoring import Asked, Scored
    from dalr_bench.table.model import Reported

_EXAMPLE = """\b
Examples:
  dalr-bench score sentence-transformers/all-MiniLM-L6-v2 --data DATA
  dalr-bench score models/dalr --evaluators sts,senteval --data DATA --pooling mean --out scores.json
  dalr-bench score models/dalr --evaluators senteval --tasks CR --data DATA --set senteval.mode=fast"""


@click.command("score", short_help="Score any sentence encoder.", epilog=_EXAMPLE)
@click.argument("model")
@click.option("--evaluators", default="sts", show_default=True, metavar="NAME,...", help="Which to run, by name.")
@click.option("--data", metavar="DIR", help="Evaluation data (or DALR_BENCH_DATA).")
@click.option("--pooling", metavar="NAME", help="Instead of what the model's files state.")
@click.option("--normalize/--no-normalize", default=None, help="Unit length, instead of what the model's files state.")
@click.option("--max-length", type=click.IntRange(min=3), help="Token ids, instead of what the model's files state.")
@click.option("--tasks", multiple=True, metavar="NAME", help="Only these tasks.")
@click.option("--set", "settings", multiple=True, metavar="EVALUATOR.OPTION=VALUE", help="An evaluator's option, e.g. sts.sick=all.")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="Where to encode."
)
@click.option(
    "--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True, help="Part of the protocol."
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write model, revision, scores and seconds."
)
@click.option("--compare", is_flag=True, help="Print published rows below.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout instead of a table.")
def command(
    model: str,
    evaluators: str,
    settings: tuple[str, ...],
    out: Path | None,
    compare: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Score MODEL, a Hugging Face or sentence-transformers model (id or folder), on evaluators by name."""
    import json

    from dalr_bench.cli.show import Log
    from dalr_bench.plugin.manager import load
    from dalr_bench.record.files import write_json
    from dalr_bench.scoring import score_model

    console = Log()
    asked = _asked(model, evaluators, settings, given)
    scored = score_model(asked, load().catalogue, show_pace(console))
    document = to_json(scored)
    try:
        if out is not None:
            write_json(out, document)
    finally:  # a full disk does not take with it what was hours of work
        if as_json:
            click.echo(json.dumps(document, indent=2))
        else:
            _print(scored, published() if compare else [])


def _asked(model: str, evaluators: str, settings: Sequence[str], given: Mapping[str, Any]) -> Asked:
    from dalr_bench.scoring import Asked

    reading = {name: given[name] for name in ("pooling", "normalize", "max_length") if given[name] is not None}
    return Asked(
        model,
        [name.strip() for name in evaluators.split(",") if name.strip()],
        given["tasks"],
        given["data"],
        given["device"],
        given["precision"],
        reading=reading,
        options=parse_settings(settings),
    )


def parse_settings(settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    """`sts.sick=all` → {"sts": {"sick": "all"}}; values are YAML."""
    from ruamel.yaml import YAML

    from dalr_bench.errors import SuiteError

    out: dict[str, dict[str, Any]] = {}
    for text in settings:
        path, mark, value = text.partition("=")
        evaluator, dot, option = path.partition(".")
        if not mark or not dot:
            raise SuiteError(f"--set {text}: expected EVALUATOR.OPTION=VALUE")
        out.setdefault(evaluator, {})[option] = YAML(typ="safe", pure=True).load(value)
    return out


def show_pace(console: Console) -> Progress:
    """A line of progress each ten seconds, on a terminal each half; rate and time left."""
    import time

    last = [time.monotonic()]

    def show(pace: Pace) -> None:
        from dalr_bench.cli.show import span

        now, done = time.monotonic(), pace.tokens == pace.total_tokens
        if now - last[0] < (0.5 if console.is_terminal else 10) and not done:
            return
        last[0] = now
        text = (
            f"encoded {pace.sentences:,} of {counted(pace.total_sentences, 'sentence', ',')}, {pace.tokens_per_second:,.0f} tokens/s"
        )
        left = "done" if done else f"{span(pace.seconds_left)} left"
        console.print(f"{text}, {left}", end="\r" if console.is_terminal and not done else "\n", highlight=False)

    return show


def to_json(scored: Scored) -> dict[str, Any]:
    """The contract's document of a scored model."""
    from dalr_bench.record.record import scores_to_json

    return {
        "model": scored.model,
        "revision": scored.revision,
        "scores": scores_to_json(scored.outcome.scores),
        "missing": list(scored.outcome.missing),
        "seconds": {name: round(value, 3) for name, value in scored.outcome.seconds.items()},
    }


def published() -> list[Reported]:
    """Rows of every `reported/*.csv` a plugin's package carries; what stands in `unusable.csv` is known to be wrong."""
    from dalr_bench.table.reported import packaged, read_reported

    return [row for name, path in packaged().items() if name != "unusable" for row in read_reported(path)]


def _print(scored: Scored, rows: Sequence[Reported]) -> None:
    from rich.table import Table

    from dalr_bench.cli.show import Page

    table = Table(title=scored.model)
    for name in ("task", "metric", "x100", "n"):
        table.add_column(name, justify="left" if name in ("task", "metric") else "right")
    for score in scored.outcome.scores:
        metric = score.metric if score.aggregation is None else f"{score.metric} ({score.aggregation})"
        table.add_row(score.task, metric, f"{100 * score.value:.2f}", str(score.n))
    for task in scored.outcome.missing:
        table.add_row(task, "missing", "-", "-")
    console = Page()
    console.print(table)
    for protocol in dict.fromkeys(score.protocol for score in scored.outcome.scores):
        console.print(protocol, highlight=False, soft_wrap=True, markup=False)
    if rows:
        console.print(_compared(scored, rows))


def _compared(scored: Scored, rows: Sequence[Reported]) -> Any:
    """Published rows under ours, on the columns that both have."""
    from rich.table import Table

    ours = {f"{score.task}.{score.metric}": 100 * score.value for score in scored.outcome.scores}
    columns = [key for key in ours if any(key in row.values for row in rows)]
    table = Table(title="published rows (reported, not measured here)")
    for name in ("row", *(key.partition(".")[0] for key in columns), "source"):
        table.add_column(name)
    table.add_row(scored.model, *(f"{ours[key]:.2f}" for key in columns), "measured here")
    for row in rows:
        if any(key in row.values for key in columns):
            cells = [f"{row.values[key]:.2f}" if key in row.values else "-" for key in columns]
            otherwise = dict.fromkeys(row.protocols[key] for key in columns if key in row.protocols)
            table.add_row(row.name, *cells, "; ".join([row.source, *(f"SCORED OTHERWISE: {how}" for how in otherwise)]))
    return table
