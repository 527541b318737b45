"""`dalr-bench plugins check`: holds plugins and components to the contract, each in a process with a time limit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dalr_bench.cli.numbers import Number

if TYPE_CHECKING:
    from dalr_bench.conformance.kit import Verdict

_EXAMPLE = """\b
Examples:
  dalr-bench plugins check
  dalr-bench plugins check word-length --limit 10
  dalr-bench plugins check source/lines --option path=some/file.txt"""


@click.command("check", short_help="Hold plugins to the contract.", epilog=_EXAMPLE)
@click.argument("name", metavar="[NAME]...", nargs=-1)
@click.option("--option", "given", multiple=True, metavar="KEY=VALUE", help="An option to build the component with.")
@click.option(
    "--limit", type=Number(0, 86400, min_open=True), default=60.0, show_default=True,
    help="Seconds a check may take before it is cut.",
)  # fmt: skip
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where to check.")
@click.option(
    "--data", type=click.Path(), envvar="DALR_BENCH_DATA", help="Evaluation data for evaluators that need it."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(
    name: tuple[str, ...], given: tuple[str, ...], limit: float, device: str, data: str | None, as_json: bool
) -> int:
    """Check plugins (by distribution or entry point) and components (NAME or kind/NAME); without NAME all that are not ours.

    Exit code 3: a contract is broken. Each is named, with what was seen and the input that broke it. Exit code 2: a component
    that was named could not be built for want of an option.
    """
    from dalr_bench.conformance.kit import Asked, check
    from dalr_bench.errors import EXIT_DONE, EXIT_PLUGIN, EXIT_SUITE

    if device == "cuda":
        from dalr_bench.train.device import choose

        choose(device)  # without one every promise would be checked on the CPU, and said to be kept
    verdicts = check(name, Asked(limit, device, data, _options(given)))
    broken = sum(len(verdict.broken) for verdict in verdicts)
    if as_json:
        click.echo(json.dumps({"verdicts": [_document(verdict) for verdict in verdicts], "broken": broken}, indent=2))
    else:
        click.echo(
            "\n".join(line for verdict in verdicts for line in _lines(verdict)) or "no plugin but our own is installed"
        )
    unbuilt = name and any(_unbuilt(verdict) for verdict in verdicts)
    return EXIT_PLUGIN if broken else EXIT_SUITE if unbuilt else EXIT_DONE


def _options(given: Sequence[str]) -> dict[str, Any]:
    """Values are JSON where they read as such, else text."""
    from dalr_bench.errors import SuiteError

    out: dict[str, Any] = {}
    for text in given:
        key, mark, value = text.partition("=")
        if not mark or not key:
            raise SuiteError(f"--option {text}: expected KEY=VALUE")
        try:
            out[key] = json.loads(value)
        except ValueError:
            out[key] = value
    return out


def _unbuilt(verdict: Verdict) -> bool:
    return [finding.contract for finding in verdict.findings if finding.state == "unchecked"] == ["build.works"]


def _lines(verdict: Verdict) -> list[str]:
    from dalr_bench.conformance.contracts import CONTRACTS

    states = {
        state: [item for item in verdict.findings if item.state == state] for state in ("kept", "broken", "unchecked")
    }
    lines = [verdict.subject]
    for item in states["broken"]:
        lines += [f"  BROKEN {item.contract}: {CONTRACTS[item.contract]}", f"    {item.what}"]
        lines += [f"    input: {item.input}"] * bool(item.input)
    lines += [f"  not checked {item.contract}: {item.what}" for item in states["unchecked"]]
    counts = [f"{len(states['kept'])} kept", f"{len(states['broken'])} broken", *verdict.facts.values()]
    return [*lines, f"  {', '.join(counts)}"]


def _document(verdict: Verdict) -> dict[str, Any]:
    from dataclasses import asdict

    from dalr_bench.conformance.contracts import CONTRACTS

    findings = [{**asdict(finding), "promise": CONTRACTS[finding.contract]} for finding in verdict.findings]
    return {"subject": verdict.subject, "findings": findings, "facts": verdict.facts}
