"""What the first process of several says to the others, one word at a time: they do nothing that they were not told to do.

A word is three integers, and where it needs more, a JSON object. It goes by a gloo group of its own, from host to host: nothing asks
a device, and a word never meets the numbers of a step that is still under way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from dalr_bench.train.pulse import Pulse

# The first process fits classifiers or waits for a lease while the others wait for its next word.
PATIENCE = timedelta(days=2)
# How long a process that is done or has failed waits for the others: they are at a step, or at a few batches.
MEETING = timedelta(seconds=15)


class Word(IntEnum):
    """All that can be said. What follows a word is said where it is obeyed."""

    LEAVE = 0
    REST = 1
    RUN = 2
    BUILD = 3
    OPEN = 4
    TRAIN = 5
    STEP = 6
    EQUAL = 7
    ENCODE = 8
    STATE = 9
    LOAD = 10
    MOMENTS = 11


@dataclass(frozen=True)
class Heard:
    """A word with its number and whatever else was said."""

    word: Word
    number: int
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Line:
    """From the first process to all others. `group`: a process group of gloo that nothing else uses; None once all is over.
    `pulse`: of this machine.
    """

    rank: int
    size: int
    group: Any
    pulse: Pulse | None = None

    def over(self) -> None:
        """No word comes any more, and nobody's silence matters: every process says so once it has nothing left to share.

        Torch's threads end here too, which Python's own end would not wait for. One that lets go of a tensor while Python ends
        aborts the process (SIGABRT, https://github.com/pytorch/pytorch/issues/190489), all work done, and torchrun on the other
        machines then waits 300 s for this one.
        """
        if self.pulse is not None:
            self.pulse.stop()
        self.group = None
        if dist.is_initialized():
            dist.destroy_process_group()

    def say(self, word: Word, number: int = 0, **more: Any) -> None:
        """Tell all others. Raises RuntimeError where one of them is gone."""
        text = json.dumps(more).encode() if more else b""
        self.tell(torch.tensor([int(word), number, len(text)]))
        if text:
            self.tell(torch.frombuffer(bytearray(text), dtype=torch.uint8))

    def hear(self, within: timedelta = PATIENCE) -> Heard:
        """The next word. Raises RuntimeError where the first process is gone, or says nothing for so long."""
        head = torch.zeros(3, dtype=torch.long)
        dist.broadcast(head, 0, group=self.group, async_op=True).wait(within)
        word, number, length = head.tolist()
        text = self.tell(torch.zeros(length, dtype=torch.uint8)) if length else None
        return Heard(Word(word), number, json.loads(text.numpy().tobytes()) if text is not None else {})

    def tell(self, tensor: Tensor) -> Tensor:
        """The first process's numbers, on the host; the others give a tensor of the same form to be filled."""
        dist.broadcast(tensor, 0, group=self.group)
        return tensor

    def collect(self, rows: Tensor, sizes: list[int]) -> list[Tensor]:
        """Every process's rows [its size, D], on the host, at the first process; elsewhere none."""
        if self.rank > 0:
            if len(rows):
                dist.send(rows, 0, group=self.group)
            return []
        found = [rows]
        for rank in range(1, self.size):
            theirs = rows.new_empty((sizes[rank], rows.shape[1]))
            if sizes[rank]:
                dist.recv(theirs, rank, group=self.group)
            found.append(theirs)
        return found

    def meets(self, within: timedelta) -> bool:
        """Whether all processes came here in that time, as the first one sees it."""
        try:
            dist.monitored_barrier(self.group, timeout=within)
        except RuntimeError:
            return False
        return True
