"""Where the processes of a run meet first: torch would wait for one that never comes as long as for a word, days, and say nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_TO_NAME = 5.0


@contextmanager
def within(seconds: float, ended: Callable[[str], None]) -> Iterator[None]:
    """Call `ended` with a line if the block takes longer than its meeting may: a store that stands still never answers torch."""
    told = f"the machine that holds this run together did not answer within {seconds:g} s: it is gone, or cut off"
    timer = threading.Timer(seconds + _SECONDS_TO_NAME, ended, [told])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def meet(store: Any, rank: int, size: int, seconds: float) -> None:
    """Come, and wait until all `size` processes came to this `store` of torch's. Raises RuntimeError that names those who did not in
    `seconds`, or one of torch's where the store itself is gone.
    """
    store.set(_key(rank), "here")
    until = time.monotonic() + seconds
    absent = list(range(size))
    while absent := [other for other in absent if not store.check([_key(other)])]:
        if time.monotonic() > until:
            raise RuntimeError(_told(absent, size, seconds))
        time.sleep(_SECONDS_BETWEEN_LOOKS)  # not in a call of torch's: whoever waits may be asked to leave


def _told(absent: Sequence[int], size: int, seconds: float) -> str:
    who = f"process {absent[0]}" if len(absent) == 1 else f"processes {', '.join(map(str, absent))}"
    return f"{who} of {size} did not come within {seconds:g} s of this one: gone, cut off, or very slow to start"


def _key(rank: int) -> str:
    return f"dalr-bench/here/{rank}"
