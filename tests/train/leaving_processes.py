"""Run by torchrun: the second of two processes leaves while one of torch's own threads still has a tensor in its hands."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from torch import distributed as dist

from dalr_bench.train.distributed import join
from dalr_bench.train.words import Word


class Slow:
    """Python's end takes a while, as on a busy machine: this is let go of when it has begun."""

    def __init__(self) -> None:
        self.sleep = time.sleep

    def __del__(self) -> None:
        self.sleep(2)


def of_torch() -> int:
    """Threads of gloo's in this process."""
    return sum((task / "comm").read_text().startswith("pt_gloo") for task in Path("/proc/self/task").iterdir())


if __name__ == "__main__":
    group = join(torch.device("cpu"))
    assert group.line is not None
    threads = [of_torch()]
    if group.rank == 0:
        group.say(Word.LEAVE)
        time.sleep(1)
        dist.all_reduce(torch.ones(3))
    else:
        dist.all_reduce(torch.ones(3), async_op=True)
        assert group.line.hear().word is Word.LEAVE
    group.line.over()
    threads.append(of_torch())
    Path(sys.argv[1], f"threads-{group.rank}").write_text(str(threads))
    slow = Slow() if group.rank else None
