"""`dalr-bench run` where torchrun started it on several processes, of one machine or of several: the first runs, the others follow."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dalr_bench.errors import EXIT_SOME_FAILED, SuiteError
from dalr_bench.plugin.manager import Plugins
from dalr_bench.plugin.named import parse
from dalr_bench.protocols import Report
from dalr_bench.types import Ending, Part, Task
from dalr_bench.working import Hand

EXECUTOR = "torchrun"
Perform = Callable[[Task, Report], Ending]


def processes() -> int:
    """How many processes were started together, as torchrun's environment says; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def executor(named: str | None) -> Part:
    """What `--executor` may be among processes that torchrun started. Raises SuiteError for one that starts others."""
    part = parse(named or EXECUTOR, "--executor")
    if part.name not in (EXECUTOR, "inline"):
        raise SuiteError(
            f"--executor {part.name}: torchrun started this command on {processes()} processes, which share every run; "
            "leave --executor out"
        )
    return part


def follow(named: str | None, device: str) -> int | None:
    """Where this is not the first of several processes, do what that one says, to the end; the exit code. Else None."""
    if processes() == 1 or os.environ["RANK"] == "0":
        return None
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # while the first one plans there is nothing to be kept
    hand = Hand(device, lambda event: None, shard=_shard(parse(named or EXECUTOR, "--executor")))
    try:
        hand.workshop()
    except RuntimeError as error:
        told = str(error).splitlines()[0][:200]
        said = f"process {os.environ['RANK']} could not join the run; if the first one ended, that one says why ({told})"
        print(said, file=sys.stderr, flush=True)
        os._exit(EXIT_SOME_FAILED)  # what is left of the group would wait for the others
    return hand.follow()


@contextmanager
def leading(plugins: Plugins, named: str | None, device: str) -> Iterator[Perform]:
    """Runs tasks in this process, with those that follow it where there are some; at the end they may go."""
    shard = _shard(executor(named)) if processes() > 1 else None
    hands: list[Hand] = []

    def perform(task: Task, report: Report) -> Ending:
        hands[:] = hands or [
            Hand(device, lambda event: None if event["event"] == "end" else report(event), plugins, shard)
        ]
        return hands[0].run(task.folder)

    try:
        yield perform
    except BaseException:
        if hands:
            hands[0].leave()
        raise
    if processes() > 1:  # also where nothing was to be done: they wait for a word
        (hands[0] if hands else Hand(device, lambda event: None, plugins, shard)).leave()


def _shard(part: Part) -> str | None:
    found = part.options.get("shard") if part.name == EXECUTOR else None
    return None if found in (None, "none") else str(found)
