"""A worker: run folders in, events and records out. Started by executors, on whatever machine they reach."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from queue import Queue
from threading import Thread
from typing import Any

import click

from dalr_bench.stopping import ask


@click.command(hidden=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--shard", type=click.Choice(["fsdp"]), help="Under torchrun: every process holds a part of each weight.")
@click.argument("folder", required=False)
def command(device: str, shard: str | None, folder: str | None) -> int:
    """Run FOLDER; without it the folders named on standard input, one JSON line each. Events go to standard output.

    One run folder in, one record out. Exit code 1: FOLDER's run failed, and its record says why.
    """
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to the log, never among the events
    from dalr_bench.errors import EXIT_DONE, EXIT_SOME_FAILED
    from dalr_bench.working import Hand

    def report(event: Mapping[str, Any]) -> None:
        events.write(json.dumps(dict(event)) + "\n")

    hand = Hand(device, report, shard=shard)
    if (code := hand.follow()) is not None:  # this also imports what is slow, before the first folder comes
        return code
    if folder is not None:
        ending = hand.run(folder)
        hand.leave()
        return EXIT_DONE if ending.status == "done" else EXIT_SOME_FAILED
    folders = _handed_in()
    while (given := folders.get()) is not None:
        hand.run(given)
        folders.task_done()
    hand.leave()
    return EXIT_DONE


def _handed_in() -> Queue[str | None]:
    """The folders named on standard input. Its end in the middle of a run means that nobody waits for it: leave, with a checkpoint."""
    folders: Queue[str | None] = Queue()

    def read() -> None:
        for line in sys.stdin:
            folders.put(json.loads(line)["folder"])
        at_work = folders.unfinished_tasks > 0
        folders.put(None)
        if at_work:
            ask()

    Thread(target=read, name="folders", daemon=True).start()
    return folders
