"""The devices of this machine, how much memory each has, and which runs may share one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dalr_bench import Task, TrainingError

# A CUDA context and the kernels' code, which no counter of torch sees (around half a gigabyte on recent cards), and what
# the caching allocator holds beyond the peak it was asked for.
CONTEXT_BYTES = 600 << 20
SLACK = 1.25
# What is left for everything else on the device.
SHARE = 0.9


@dataclass
class Device:
    """One GPU (`name` as in CUDA_VISIBLE_DEVICES), or the host (None). `budget`: bytes runs may use; None: not known."""

    name: str | None
    budget: int | None
    places: int
    running: dict[str, int | None] = field(default_factory=dict)

    def fits(self, task: Task, memory: int | None) -> bool:
        """Whether a run may start beside those that run.

        On a GPU only measured runs share; on the host one not measured yet may, as a machine's memory is rarely what
        its cores lack. A run that has the device for itself always may.
        """
        if not self.running:
            return True
        if len(self.running) >= self.places:
            return False
        if self.budget is None:
            return self.name is None
        wanted = [self._needs(each) for each in (*self.running.values(), memory)]
        if None in wanted and self.name is not None:
            return False
        return sum(each or 0 for each in wanted) <= self.budget

    def _needs(self, memory: int | None) -> int | None:
        if memory is None:
            return None
        return int(SLACK * memory) + CONTEXT_BYTES if self.name is not None else memory


@dataclass
class Memory:
    """Peak bytes by shape of run: recorded before, or seen in this grid. The larger counts."""

    seen: dict[str, int] = field(default_factory=dict)

    def of(self, task: Task) -> int | None:
        """What a run of this shape needs; None where none was measured."""
        known = [each for each in (self.seen.get(task.shape), task.memory) if each]
        return max(known, default=None)

    def learn(self, task: Task, peak: int | None) -> None:
        """A run of this shape ended, and took that much."""
        if peak and task.shape:
            self.seen[task.shape] = max(peak, self.seen.get(task.shape, 0))


def gpus() -> list[tuple[str, int]]:
    """(identifier for CUDA_VISIBLE_DEVICES, bytes) of every GPU; none where torch sees no CUDA device."""
    import torch

    if not torch.cuda.is_available():
        return []
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    numbers = range(torch.cuda.device_count())
    names = named or [str(number) for number in numbers]
    return [
        (name, torch.cuda.get_device_properties(number).total_memory)
        for name, number in zip(names, numbers, strict=False)
    ]


def wanted_gpus(device: str) -> list[tuple[str, int]]:
    """The GPUs that `--device` means. Raises TrainingError where it says cuda and there is none: no worker need start to say so."""
    found = gpus() if device != "cpu" else []
    if not found and device == "cuda":
        raise TrainingError("--device cuda: no CUDA device is visible to torch; use --device auto or cpu")
    return found


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def host_memory() -> int | None:
    """Bytes that are free on this machine, or in the container it is; None where the system does not tell."""
    known = [each for each in (_available(), _left_in_container()) if each is not None]
    return min(known, default=None)


def _available() -> int | None:
    lines = _lines(Path("/proc/meminfo"))
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _left_in_container() -> int | None:
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        texts = [next(iter(_lines(Path("/sys/fs/cgroup") / name)), "") for name in (limit, used)]
        if all(text.isdigit() for text in texts):
            return max(0, int(texts[0]) - int(texts[1]))
    return None


def _lines(path: Path) -> Iterable[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return ()
