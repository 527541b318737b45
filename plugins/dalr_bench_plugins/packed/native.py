"""`kernels.cpp`, compiled once for this machine, and how its functions are called over several threads."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dalr_bench_plugins import compiled
from dalr_bench_plugins.packed.draws import Kept

_SOURCE = compiled.Source(
    "dalr_bench_plugins.packed", "kernels.cpp", ("g++", "clang++", "c++"), ("-fassociative-math", "-std=gnu++17")
)
_BLOCK = 1 << 19  # numbers of one range: large enough that a call costs nothing beside it
_MOST = 16


@cache
def library() -> Any | None:
    """The compiled kernels; None where there is no working C++ compiler (or the cache cannot be written)."""
    return compiled.library(_SOURCE)


class _Dropout(ctypes.Structure):
    _fields_ = [("draws", ctypes.c_void_p), ("threshold", ctypes.c_int32), ("scale", ctypes.c_float)]


class _Sentences(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("start", "place", "room")),
        *((name, ctypes.c_int64) for name in ("heads", "width", "first", "last")),
        ("scale", ctypes.c_float),
    ]


class _Rows(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("width", "first", "last")]


class Call:
    """A kernel of the form `dtype` has. Arguments are tensors (given by address), None, floats, or `Kept`."""

    def __init__(self, name: str, dtype: torch.dtype) -> None:
        kernels = library()
        assert kernels is not None, "the caller looked"
        self._function = kernels[f"{name}_{'f32' if dtype == torch.float32 else 'bf16'}"]
        self._function.restype = None

    def __call__(self, range_: Any, *arguments: Any) -> None:
        self._function(ctypes.byref(range_), *map(_given, arguments))


def _given(argument: Any) -> Any:
    if isinstance(argument, torch.Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, float):
        return ctypes.c_float(argument)
    if isinstance(argument, Dropping):
        return ctypes.byref(argument.made)
    return argument


class Dropping:
    """`Kept` (or nothing dropped) as the kernels see it; holds the bits as long as it lives."""

    def __init__(self, kept: Kept | None) -> None:
        self.bits = None if kept is None else kept.bits
        if kept is None:
            self.made = _Dropout(None, 0, 1.0)
        else:
            self.made = _Dropout(kept.bits.data_ptr(), kept.threshold, kept.scale)


def by_rows(shape: Sequence[int], call: Callable[[Any, int], None]) -> None:
    """Run `call(range, its number)` over ranges of rows of a [rows, width] table."""
    rows, width = shape
    bounds = _bounds(rows, rows * width)
    _spread([partial(call, _Rows(width, a, b), n) for n, (a, b) in enumerate(bounds)])


def ranges(shape: Sequence[int]) -> int:
    """How many ranges `by_rows` makes: a matter of sizes alone, so that sums do not depend on threads."""
    return len(_bounds(shape[0], shape[0] * shape[1]))


class Sentences:
    """Sentences of a packed batch as the kernels see them.

    `starts`: where tokens, draws and probabilities of each start, and the end: int64 [n + 1] each.
    """

    def __init__(self, starts: Sequence[NDArray[np.int64]], heads: int, scale: float) -> None:
        self.starts, self.heads, self.scale = starts, heads, scale
        self.draws, self.probabilities = (int(part[-1]) for part in starts[1:])

    def over(self, width: int, tokens: int, call: Callable[[Any, int], None]) -> None:
        """Run `call` over ranges of sentences; `width` numbers a token and head."""
        common = (*(part.ctypes.data for part in self.starts), self.heads, width)
        bounds = _bounds(len(self.starts[0]) - 1, tokens * width * self.heads)
        _spread([partial(call, _Sentences(*common, a, b, self.scale), n) for n, (a, b) in enumerate(bounds)])


def _bounds(rows: int, numbers: int) -> list[tuple[int, int]]:
    count = max(1, min(_MOST, rows, numbers // _BLOCK))
    edges = [rows * k // count for k in range(count + 1)]
    return list(pairwise(edges))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="packed")


def _spread(calls: Sequence[Callable[[], None]]) -> None:
    threads = torch.get_num_threads()
    if threads == 1 or len(calls) == 1:
        for call in calls:
            call()
        return
    for done in [_pool(threads).submit(call) for call in calls]:
        done.result()
