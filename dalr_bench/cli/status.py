"""`dalr-bench status`: what is done, running, failed and missing, from the run folders alone."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dalr_bench.errors import counted

if TYPE_CHECKING:
    from dalr_bench.record.results import Results
    from dalr_bench.record.summary import Place
    from dalr_bench.record.waiting import Blockers

_EXAMPLE = """\b
Example:
  dalr-bench status results/ablation"""


@click.command("status", short_help="Tell which runs are done, failed or missing.", epilog=_EXAMPLE)
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(results: Path, as_json: bool) -> None:
    """Tell which runs of RESULTS are done, running, stale (killed), failed, interrupted, damaged or missing.

    A missing run that cannot be trained because one it needs failed says which.
    """
    from dalr_bench.record.results import read_results
    from dalr_bench.record.waiting import told

    found = read_results(results)
    runs = _runs(found)
    counts = {state: number for state, number in Counter(run["state"] for run in runs).items() if number}
    if as_json:
        total = {"runs": len(runs), **counts}
        click.echo(json.dumps({"suite": found.summary.suite, "total": total, "runs": runs}, indent=2))
        return
    click.echo(f"{_plain(found.summary.suite)}: {_counted(len(runs), counts)}")
    if beside := _beside(runs):
        click.echo(beside)
    for run in runs:
        if run["state"] != "done":
            why = told(run["blocked_by"]) if run["blocked_by"] else run["error"]
            click.echo(_plain(f"{run['state']:<12}{run['id']}" + (f": {why}" if why else "")))


def _runs(found: Results) -> list[dict[str, Any]]:
    """One entry a run: those of the cells in the order of the suite, and those they need (a teacher that is a run).

    Folders of runs that the suite no longer names are left out.
    """
    from dalr_bench.record.retention import told_needs
    from dalr_bench.record.waiting import Blockers, needs

    places = {place.run_id: place for place in reversed(found.summary.cells)}
    order = dict.fromkeys(place.run_id for place in found.summary.cells)
    waiting, wanted = list(order), told_needs(found.folder)
    # Configs say which variant a needed run is; ten thousand are not opened to learn of a few, nor for none.
    while waiting and (wanted is None or not wanted <= order.keys()):
        needed = [place for place in needs(found.folder / waiting.pop(0)) if place.run_id not in order]
        places |= {place.run_id: place for place in needed}
        order |= dict.fromkeys(place.run_id for place in needed)
        waiting += [place.run_id for place in needed]
    damaged = [run for run, record in found.records.items() if record.status == "damaged" and run not in order]
    blockers = Blockers(found.folder, found.records)
    return [_entry(found, run, places.get(run), blockers) for run in [*order, *damaged]]


def _entry(found: Results, run: str, place: Place | None, blockers: Blockers) -> dict[str, Any]:
    from dalr_bench.record.store import state

    record = found.records.get(run)
    shown = state(found.folder / run, record)
    return {
        "id": run,
        "variant": place.variant if place else None,
        "axes": dict(place.axes) if place else {},
        "seed": place.seed if place else None,
        "state": shown,
        "blocked_by": list(blockers.of(run)) if shown == "missing" else [],
        "error": record.error if record else None,
        "seconds": dict(record.seconds) if record else {},
        "estimate": record.extra.get("estimate") if record else None,
        "origin": record.extra.get("origin") if record else None,
    }


def _beside(runs: list[dict[str, Any]]) -> str:
    """What runs took, and what was estimated before they ran; those taken over from another suite took nothing here."""
    from dalr_bench.cli.show import span

    both = [
        (float(run["seconds"]["total"]), guess)
        for run in runs
        if run["state"] == "done" and not run["origin"] and (guess := _guess(run)) and "total" in run["seconds"]
    ]
    if not both:
        return ""
    took, guess = (sum(column) for column in zip(*both, strict=True))
    return f"{counted(len(both), 'run')} took {span(took)} in all; estimated {span(guess)}"


def _guess(run: dict[str, Any]) -> float:
    """The seconds that were estimated; 0 where none were, or where the record holds something else there."""
    estimate = run["estimate"]
    seconds = estimate.get("seconds") if isinstance(estimate, dict) else None
    return float(seconds) if isinstance(seconds, int | float) else 0.0


def _counted(runs: int, counts: dict[str, int]) -> str:
    order = ("done", "running", "stale", "failed", "interrupted", "damaged", "missing")
    parts = [f"{counts[state]} {state}" for state in order if state in counts]
    return counted(runs, "run") + (f": {', '.join(parts)}" if parts else "")


def _plain(text: str) -> str:
    """One line that cannot steer the terminal, whatever an error text holds."""
    return "".join(c if c.isprintable() else " " for c in text).rstrip()
