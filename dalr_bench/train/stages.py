"""What a run spends on each part of its work: seconds, processor seconds, joules, and the highest memory meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from dalr_bench.train.account import Cost
from dalr_bench.train.energy import Joules, joules_of

_REFS, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


@dataclass
class Spent:
    """Sums of one part; `joules` and `peak_bytes` are None where nobody counts them."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    joules: float | None = 0.0
    peak_bytes: int | None = None


@dataclass
class Stages:
    """Parts may lie inside one another (a dev check in training): the inner one's costs are not the outer one's too."""

    device: torch.device
    spent: dict[str, Spent] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    _since: tuple[float, float, float | None] = (0.0, 0.0, None)
    _joules: Joules | None = None

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Everything inside is a cost of `name`."""
        self._turn()
        self._open.append(name)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def peak(self, name: str, found: int) -> None:
        """Somebody else read (and so started anew) the peak of a part."""
        self._raise(self.spent.setdefault(name, Spent()), found or None)

    @property
    def highest(self) -> int | None:
        """The highest peak of any part."""
        return max((each.peak_bytes for each in self.spent.values() if each.peak_bytes is not None), default=None)

    def costs(self) -> dict[str, Cost]:
        """By part; `gpu_seconds` are those for which the run held a GPU."""
        gpu = self.device.type == "cuda"
        return {
            name: {
                "seconds": each.seconds,
                "cpu_seconds": each.cpu_seconds,
                "gpu_seconds": each.seconds if gpu else None,
                "joules": each.joules,
                "peak_bytes": each.peak_bytes,
            }
            for name, each in self.spent.items()
        }

    def clear(self) -> None:
        """Another run begins: what was spent before is not its."""
        self.spent.clear()
        take_peak(self.device)

    def with_joules(self, steps: Mapping[str, Cost], stage: str) -> dict[str, Cost]:
        """Costs by step, and `joules_per_step`: a part's milliseconds at the mean power of the stage. No counter is
        fast enough for a single part of a step."""
        spent = self.spent.get(stage, Spent())
        watts = None if spent.joules is None or not spent.seconds else spent.joules / spent.seconds
        return {
            name: {**cost, "joules_per_step": None if watts is None or ms is None else watts * ms / 1e3}
            for name, cost in steps.items()
            for ms in [cost["ms_per_step"]]
        }

    def _turn(self) -> None:
        """What was spent since the last turn belongs to the innermost open part."""
        self._joules = self._joules or joules_of(self.device)
        now = (time.perf_counter(), time.process_time(), self._joules())
        peak = take_peak(self.device)
        if self._open:
            spent = self.spent.setdefault(self._open[-1], Spent())
            spent.seconds += now[0] - self._since[0]
            spent.cpu_seconds += now[1] - self._since[1]
            spent.joules = _later(spent.joules, self._since[2], now[2])
            self._raise(spent, peak)
        self._since = now

    @staticmethod
    def _raise(spent: Spent, found: int | None) -> None:
        if found is not None:
            spent.peak_bytes = max(spent.peak_bytes or 0, found)


def _later(joules: float | None, before: float | None, after: float | None) -> float | None:
    return None if joules is None or before is None or after is None else joules + after - before


def take_peak(device: torch.device) -> int | None:
    """Highest memory since it was last asked: of the CUDA allocator, or this process's resident memory on Linux. None
    where the system does not tell."""
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        return peak
    try:
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        _REFS.write_text("5")  # starts the high-water mark anew
    except (OSError, StopIteration):
        return None
    return 1024 * int(line.split()[1])
