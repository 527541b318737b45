"""A worker: run folders in by standard input, one JSON line each; events out by standard output. Started by executors."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click


@click.command(hidden=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
def command(device: str) -> None:
    """Run the folders named on standard input, one after another. One run folder in, one record out."""
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to the log, never among the events
    from dalr_bench.pipeline import perform
    from dalr_bench.plugin.manager import load
    from dalr_bench.plugin.trackers import asked_for, attach
    from dalr_bench.train.device import choose
    from dalr_bench.workshop import Workshop

    def report(event: Mapping[str, Any]) -> None:
        events.write(json.dumps(dict(event)) + "\n")

    plugins = load()
    attach(plugins, asked_for(), lambda run, text: report({"event": "warning", "run_id": run, "text": text}))
    workshop = Workshop(plugins, choose(device), os.environ.get("DALR_BENCH_DATA"))
    for line in sys.stdin:
        record = perform(Path(json.loads(line)["folder"]), workshop, report)
        report({"event": "end", "run_id": record.run_id, "status": record.status, "error": record.error})
