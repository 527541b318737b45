"""A run's turn: nobody else works on its folder, and nobody on an equal run of another suite under the same results folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dalr_bench.record.lease import Lease, described, holder, wait_for
from dalr_bench.sharing import at_work, place


def wait_for_turn(folder: Path, told: Callable[[str], Any], pause: float = 1.0) -> tuple[Lease, bool]:
    """`lease.wait_for`, and then for all who are at an equal run. Raises OSError.

    Two that begin at once see each other, since each looks after it took its lease: the one whose folder comes first by name
    keeps its lease and waits for the other to give way or to end, the other gives its own back until then. An order among
    all of them lets no two wait for each other.
    """
    lease, waited = wait_for(folder, told, pause)
    try:
        while (other := at_work(folder)) is not None:
            gives_way = place(other) < place(folder)
            if gives_way:
                lease.release(keep_number=True)
            _wait(other, told, pause)
            if gives_way:
                lease, again = wait_for(folder, told, pause)
                waited = waited or again
    except BaseException:
        lease.release(keep_number=True)
        raise
    return lease, waited


def _wait(other: Path, told: Callable[[str], Any], pause: float) -> None:
    told(f"{described(holder(other))}, at the same run of suite '{other.parent.name}'")
    while holder(other) is not None:
        time.sleep(pause)
