"""What stays of a run that is done."""

from __future__ import annotations

import shutil
from pathlib import Path

from dalr_bench.record.checkpoints import clear_checkpoints
from dalr_bench.record.files import load_json
from dalr_bench.record.progress import clear

WEIGHTS, MODEL = "weights.safetensors", "model"


def tidy(run: Path, retain: str) -> None:
    """What was kept for another try goes: the record holds everything now. `retain` is best, last or none.

    best: the weights that were scored stay; last: the last checkpoint stays too; none: neither, unless the suite names the
    run among those that others need.
    """
    clear(run)
    if retain != "last":
        clear_checkpoints(run)
    if retain == "none" and run.name not in needed_runs(run.parent):
        shutil.rmtree(run / MODEL, ignore_errors=True)
        (run / WEIGHTS).unlink(missing_ok=True)


def needed_runs(results: Path) -> set[str]:
    """The runs that others need, as `suite.json` names them (`needed`); none where it does not say."""
    return told_needs(results) or set()


def told_needs(results: Path) -> set[str] | None:
    """`needed_runs`; None where `suite.json` does not say."""
    try:
        return set(map(str, load_json(results / "suite.json")["needed"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
