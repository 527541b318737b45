"""A time limit on a stranger's import: one that never ends must not stop those who do not use it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn


class TooLong(BaseException):
    """Raised inside the block when its time is over. No Exception: a broad `except` in a plugin must not keep it."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TooLong in the block after so many seconds. Works in the main thread of a POSIX process; elsewhere there is no
    limit, and none where a timer of somebody else's runs."""
    usable = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    if not usable or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return

    def over(number: int, frame: Any) -> NoReturn:
        raise TooLong(f"its import did not end within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
