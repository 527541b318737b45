"""A run of several processes from its first to its last word, and what becomes of the others when one of them is gone.

A fault that all meet is filed by the first process. One that a single process meets ends all of them: whoever finds that another is
gone or stays away ends itself after a while, and torchrun ends the rest.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dalr_bench.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_SOME_FAILED
from dalr_bench.execute.trouble import EXIT_OUT_OF_MEMORY, trouble_of
from dalr_bench.train.distributed import Group
from dalr_bench.train.pulse import speaks
from dalr_bench.train.words import MEETING, Word

# Torchrun looks ten times a second which process ended first. Those that only lost it leave it that time.
_SECONDS_FOR_TORCHRUN = 20.0


@contextmanager
def together(group: Group, folder: str) -> Iterator[None]:
    """A run of all processes, at the first one. Where another is gone or stays away this process ends, as torchrun will see."""
    if group.line is None:
        yield
        return
    try:
        group.say(Word.RUN, folder=os.path.abspath(folder))
        yield
        group.say(Word.REST)
        met = group.line.meets(MEETING)
    except KeyboardInterrupt:
        dismiss(group, EXIT_INTERRUPTED)
        raise
    except RuntimeError:
        met = False
    if not met:
        _await_the_end("another process of this run is gone")


def dismiss(group: Group, code: int = EXIT_DONE) -> bool:
    """Let the others go, with the exit code of this process: torchrun waits minutes for a machine that failed where another one did
    not. Whether all are told; those that are gone are not. Whoever was let go stays so."""
    if group.line is None or group.line.group is None:
        return True
    try:
        group.say(Word.LEAVE, code)
    except RuntimeError:
        return False  # the end is shared, too: torch might wait for the one that is gone
    group.line.over()
    return True


def following(follow: Callable[[], int]) -> int:
    """Follow to the end; the exit code. Signals are for the first process: it says what comes of them."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        return follow()
    except Exception as error:
        told = f"{type(error).__name__}: {error}".splitlines()[0]
        trouble = trouble_of(error)
        if trouble == "lost":
            _await_the_end(told)
        print(f"process {os.environ.get('RANK', '?')} of a run failed: {told}", file=sys.stderr, flush=True)
        # The others may wait for this one in a call that nothing interrupts, and so may what Python does at its end.
        os._exit(EXIT_OUT_OF_MEMORY if trouble == "memory" else EXIT_SOME_FAILED)


def _await_the_end(why: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    at_once = speaks()  # torchrun itself may be lost with another machine, and then ends this process without a word
    if at_once:
        print(why, file=sys.stderr, flush=True)
    time.sleep(_SECONDS_FOR_TORCHRUN)
    if not at_once:
        print(why, file=sys.stderr, flush=True)
    os._exit(EXIT_SOME_FAILED)
