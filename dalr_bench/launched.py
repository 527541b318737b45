"""`dalr-bench run` where torchrun started it on several processes, of one machine or of several: the first runs, the others follow."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dalr_bench.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_SOME_FAILED, SuiteError, UserError
from dalr_bench.plugin.manager import Plugins
from dalr_bench.plugin.named import parse
from dalr_bench.protocols import Report
from dalr_bench.types import Ending, Part, Task
from dalr_bench.working import Hand

EXECUTOR = "torchrun"


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
        signal.signal(number, signal.SIG_DFL)  # until the first one is met there is nothing to be kept
    return _joined(Hand(device, _silent, shard=_shard(parse(named or EXECUTOR, "--executor")))).follow()


@dataclass
class Lead:
    """Runs tasks in this process, with those that follow it where there are some. `code`: what all are to end with."""

    device: str
    plugins: Plugins
    hand: Hand | None = None
    code: int = EXIT_DONE

    def perform(self, task: Task, report: Report) -> Ending:
        """One task to its end; all its events but the last are `report`'s."""
        self.hand = self.hand or Hand(self.device, _silent, self.plugins)
        self.hand.report = lambda event: None if event["event"] == "end" else report(event)
        return self.hand.run(task.folder)

    def leave(self) -> None:
        """The others may go, also where nothing was to be done: they wait for a word. Where one is gone, all was not well."""
        if processes() > 1 and self.hand is not None and not self.hand.leave(self.code) and self.code == EXIT_DONE:
            print("another process of this run is gone", file=sys.stderr, flush=True)
            self.code = EXIT_SOME_FAILED  # with another code its machine would wait minutes for the other one


@contextmanager
def leading(plugins: Plugins, named: str | None, device: str) -> Iterator[Lead]:
    """Inside of the block this process plans and has the runs; the others came before, and may go at its end, with its exit code.

    They meet first because a plan may take any time, in which they then hear one another's pulse.
    """
    lead = Lead(device, plugins)
    if processes() > 1:
        lead.hand = _joined(Hand(device, _silent, plugins, _shard(parse(named or EXECUTOR, "--executor"))))
    try:
        if lead.hand is not None:
            executor(named)  # also where nothing is left to do
        yield lead
    except BaseException as error:
        lead.code = _code(error)
        lead.leave()
        raise
    lead.leave()


def _joined(hand: Hand) -> Hand:
    """The same, once all processes have met. Where they cannot, this one says so and ends."""
    try:
        hand.workshop()
    except RuntimeError as error:
        told = str(error).splitlines()[0][:200]
        said = f"process {os.environ['RANK']} could not join the run; if another one ended, that one says why ({told})"
        print(said, file=sys.stderr, flush=True)
        os._exit(EXIT_SOME_FAILED)  # what is left of the group would wait for the others
    return hand


def _code(error: BaseException) -> int:
    if isinstance(error, UserError):
        return error.exit_code
    return EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else EXIT_SOME_FAILED


def _silent(event: Mapping[str, Any]) -> None:
    """Nobody asks this process, or nobody yet."""


def _shard(part: Part) -> str | None:
    found = part.options.get("shard") if part.name == EXECUTOR else None
    return None if found in (None, "none") else str(found)
