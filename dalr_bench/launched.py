"""`dalr-bench run` where torchrun started it on several processes, of one machine or of several: the first runs, the others follow."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dalr_bench.errors import EXIT_DONE, EXIT_SOME_FAILED, SuiteError, UserError
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
        signal.signal(number, signal.SIG_DFL)  # while the first one plans there is nothing to be kept
    hand = Hand(device, lambda event: None, shard=_shard(parse(named or EXECUTOR, "--executor")))
    try:
        hand.workshop()
    except RuntimeError as error:
        told = str(error).splitlines()[0][:200]
        said = (
            f"process {os.environ['RANK']} could not join the run; if the first one ended, that one says why ({told})"
        )
        print(said, file=sys.stderr, flush=True)
        os._exit(EXIT_SOME_FAILED)  # what is left of the group would wait for the others
    return hand.follow()


@contextmanager
def planning(named: str | None, device: str) -> Iterator[None]:
    """A fault of the plan, at the first of several processes: the others wait for a word, and torchrun for them, so they may go."""
    try:
        yield
    except UserError as error:
        if processes() > 1:
            Hand(device, lambda event: None, shard=_shard(parse(named or EXECUTOR, "--executor"))).leave(
                error.exit_code
            )
        raise


@dataclass
class Lead:
    """Runs tasks in this process, with those that follow it where there are some. `code`: what all are to end with."""

    device: str
    plugins: Plugins
    shard: str | None
    code: int = EXIT_DONE
    hand: Hand | None = None

    def perform(self, task: Task, report: Report) -> Ending:
        """One task to its end; the events are the first task's reader's."""
        self.hand = self.hand or self._made(lambda event: None if event["event"] == "end" else report(event))
        return self.hand.run(task.folder)

    def leave(self) -> None:
        """The others may go, also where nothing was to be done: they wait for a word."""
        if processes() > 1:
            (self.hand or self._made(lambda event: None)).leave(self.code)

    def _made(self, report: Report) -> Hand:
        return Hand(self.device, report, self.plugins, self.shard)


@contextmanager
def leading(plugins: Plugins, named: str | None, device: str) -> Iterator[Lead]:
    """Inside of the block this process has the runs; at its end the others may go."""
    lead = Lead(device, plugins, _shard(executor(named)) if processes() > 1 else None)
    try:
        yield lead
    except BaseException:
        if lead.hand is not None:
            lead.code = EXIT_SOME_FAILED
            lead.leave()
        raise
    lead.leave()


def _shard(part: Part) -> str | None:
    found = part.options.get("shard") if part.name == EXECUTOR else None
    return None if found in (None, "none") else str(found)
