"""Time and memory of a device, read without asking the device to wait."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Clock(Protocol):
    """`now` is a mark, `ms` the milliseconds between two of them; on a GPU only once both have passed."""

    def now(self) -> Any: ...
    def ms(self, start: Any, end: Any) -> float: ...


class HostClock:
    """Wall clock of the host, where the host computes."""

    def now(self) -> float:
        return time.perf_counter()

    def ms(self, start: float, end: float) -> float:
        return 1e3 * (end - start)


class CudaClock:
    """Events on the stream: the device stamps them when it gets there, and nobody waits."""

    def now(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def ms(self, start: torch.cuda.Event, end: torch.cuda.Event) -> float:
        end.synchronize()
        return float(start.elapsed_time(end))


class Gauge(Protocol):
    """`read` gives bytes in use now, and their peak since the last reading. Counts while its context is open."""

    def open(self) -> AbstractContextManager[object]: ...
    def read(self) -> tuple[int, int]: ...


class CudaGauge:
    """The allocator's own books. `highest` is the peak of the whole process: `read` starts the allocator's anew."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.highest = 0

    def open(self) -> AbstractContextManager[object]:
        return nullcontext()

    def read(self) -> tuple[int, int]:
        peak = torch.cuda.max_memory_allocated(self.device)
        self.highest = max(self.highest, peak)
        torch.cuda.reset_peak_memory_stats(self.device)
        return torch.cuda.memory_allocated(self.device), peak


class HostGauge(TorchDispatchMode):
    """Bytes of the tensors that operations returned and that still live. torch keeps no books on the CPU; what an
    operation uses inside itself is not seen, nor what was there before."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.level = self.peak = 0
        self._known: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        for each in tree_leaves((args, kwargs)):
            if isinstance(each, torch.Tensor):
                self._known.setdefault(each.untyped_storage(), 0)  # there before: a view of it is nothing new
        out = func(*args, **(kwargs or {}))
        for each in tree_leaves(out):
            if isinstance(each, torch.Tensor):
                self._count(each.untyped_storage())
        return out

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage in self._known:
            return
        size = self._known[storage] = storage.nbytes()
        weakref.finalize(storage, self._gone, size).atexit = False
        self.level += size
        self.peak = max(self.peak, self.level)

    def _gone(self, size: int) -> None:
        self.level -= size

    def open(self) -> AbstractContextManager[object]:
        return self

    def read(self) -> tuple[int, int]:
        level, peak = self.level, self.peak
        self.peak = level
        return level, peak
