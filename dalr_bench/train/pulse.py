"""A pulse between machines: a machine that falls silent ends the run on all others, which would else wait for it in a call for days.

A process that dies closes its connections, which its neighbours see at once. A machine that loses power, its network or its mind
closes nothing, and NCCL waits where it is. So one process of each machine counts in the store of torchrun, and looks whether the
others count. Looks are counted, not seconds: machines that are suspended together have missed none.
"""

from __future__ import annotations

import atexit
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from torch.distributed.elastic.utils.distributed import create_c10d_store

from dalr_bench.errors import EXIT_SOME_FAILED

SILENCE = "DALR_BENCH_SILENCE"
_SECONDS = 120.0
_LOOKS = 24
_SECONDS_FOR_AN_ANSWER = 5.0
_STARTS = 5
_STORE = -1  # the machine on which the store is, whoever that is


@dataclass
class Pulse:
    """Of machine `number` among `count`. `ended` is called with what is said once another one is gone."""

    store: Any
    number: int
    count: int
    ended: Callable[[str], None]
    silence: float = _SECONDS
    _missed: dict[int, int] = field(default_factory=dict)
    _names: dict[int, str] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: Sequence[threading.Thread] = ()

    def start(self) -> None:
        """Two threads: one asks the store, which may never answer; the other one looks at both."""
        self.store.set(f"{_key(self.number)}/name", socket.gethostname())
        self._missed = dict.fromkeys([_STORE, *(other for other in range(self.count) if other != self.number)], 0)
        self._threads = [threading.Thread(target=work, name="pulse", daemon=True) for work in (self._beat, self._watch)]
        for thread in self._threads:
            thread.start()
        # A thread that comes back from the store while Python ends is a crash; one that never comes back is none.
        atexit.register(self.stop)

    def stop(self) -> None:
        """The run is over; nobody's silence matters any more."""
        self._over.set()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_SECONDS_FOR_AN_ANSWER)

    def _beat(self) -> None:
        heard: dict[int, int] = {}
        with suppress(RuntimeError):  # the store is gone: `_watch` will see that nothing comes from it
            while not self._over.wait(self.silence / _LOOKS):
                self.store.add(_key(self.number), 1)
                for other in self._missed.keys() - {_STORE}:
                    count = self.store.add(_key(other), 0)
                    if count and other not in self._names:
                        self._names[other] = f" ({self.store.get(f'{_key(other)}/name').decode()})"
                    if heard.get(other) != count:
                        heard[other], self._missed[other] = count, 0
                self._missed[_STORE] = 0

    def _watch(self) -> None:
        while not self._over.wait(self.silence / _LOOKS):
            for who in self._missed:
                self._missed[who] += 1
            late = next((who for who, missed in self._missed.items() if missed > _LOOKS), None)
            if late is not None and not self._over.is_set():
                self.ended(self._said(late))
                return

    def _said(self, late: int) -> str:
        who = (
            "the machine that holds this run together"
            if late == _STORE
            else f"machine {late}{self._names.get(late, '')}"
        )
        return (
            f"{who} has said nothing for {self.silence:g} s: it is gone, or cut off; run the same command again, and it goes "
            "on from the last checkpoint"
        )


def _key(machine: int) -> str:
    return f"dalr-bench/pulse/{machine}"


def silence() -> float:
    """Seconds after which a machine that was heard is taken for gone."""
    return float(os.environ.get(SILENCE, _SECONDS))


def patience() -> float:
    """Seconds in which a process that was started has to come: it may import from a slow disk."""
    return _STARTS * silence()


def speaks() -> bool:
    """Whether torchrun has several machines, and this is the first process of its own."""
    return os.environ.get("GROUP_WORLD_SIZE", "1") != "1" and os.environ.get("LOCAL_RANK") == "0"


def begin() -> Pulse | None:
    """The pulse of this process, where it `speaks` for its machine."""
    if not speaks():
        return None
    told = os.environ
    seconds = silence()
    store = create_c10d_store(
        False, told["MASTER_ADDR"], int(told["MASTER_PORT"]), timeout=max(1, int(seconds)), wait_for_workers=False
    )
    made = Pulse(store, int(told["GROUP_RANK"]), int(told["GROUP_WORLD_SIZE"]), end, seconds)
    made.start()
    return made


def end(why: str) -> None:
    """The process may wait in a call that nothing interrupts, so nothing is asked of it."""
    print(why, file=sys.stderr, flush=True)
    os._exit(EXIT_SOME_FAILED)
