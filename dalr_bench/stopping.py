"""Ctrl-C and SIGTERM. Asked once, training leaves at its next step with a checkpoint, all else at once; asked twice, the process ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dalr_bench.errors import EXIT_INTERRUPTED

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SECONDS_ONE_ASKING_TAKES = 0.5  # launchers hand a signal on that the terminal gave to all: the same word, heard twice


@dataclass
class Stop:
    """Whether the process was asked to leave. A signal handler; in `patient` code for those who look at the end of every step."""

    asked: bool = False
    _waits: bool = False
    _since: float = 0.0

    def __call__(self, number: int = 0, frame: Any = None) -> None:
        """A signal: the first raises KeyboardInterrupt unless the code promised to look; the second ends the process."""
        if self.asked:
            if time.monotonic() - self._since > _SECONDS_ONE_ASKING_TAKES:
                _end()
            return
        self.asked, self._since = True, time.monotonic()
        if not self._waits:
            raise KeyboardInterrupt

    @contextmanager
    def waits(self, waits: bool) -> Iterator[None]:
        """What runs inside looks often (true), or not at all and is interrupted as any other code is (false)."""
        before, self._waits = self._waits, waits
        try:
            yield
        finally:
            self._waits = before

    @property
    def waiting(self) -> bool:
        """Whether somebody looks at `asked` often."""
        return self._waits

    def leave(self) -> None:
        """Raises KeyboardInterrupt if the process was asked to."""
        if self.asked:
            raise KeyboardInterrupt


def listen() -> Stop:
    """From now on this process hears both signals. Elsewhere than in the main thread nobody can listen, and nobody asks."""
    stop = Stop()
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            signal.signal(number, stop)
    return stop


@contextmanager
def patient() -> Iterator[Stop]:
    """The code inside promises to look at `asked` often. Raises KeyboardInterrupt at its end if it was set and nobody looked."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    found = before[signal.SIGTERM]
    stop = found if isinstance(found, Stop) and not found.asked else listen()
    try:
        with stop.waits(True):
            yield stop
    finally:
        if stop is not found and threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)
    stop.leave()


@contextmanager
def undisturbed() -> Iterator[None]:
    """What several processes do together is done to its end: whoever is asked to leave inside leaves after it."""
    found = signal.getsignal(signal.SIGTERM)
    if not isinstance(found, Stop):
        yield
        return
    with found.waits(True):
        yield
    if not found.waiting:
        found.leave()


def ask() -> None:
    """Ask this process to leave, from any of its threads, as a signal would; one that was asked already is left to it."""
    found = signal.getsignal(signal.SIGTERM)
    if not (isinstance(found, Stop) and found.asked):
        os.kill(os.getpid(), signal.SIGTERM)


def _end() -> None:
    """Nothing is tidied: run folders are made to be left at any moment."""
    if sys.stderr.isatty():
        os.write(2, b"\x1b[?25h\n")  # a progress display hides the cursor
    os._exit(EXIT_INTERRUPTED)
