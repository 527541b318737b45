"""`fit.c`, compiled once for this machine. Without a C compiler there is `portable.py`, which gives the same scores."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch

from dalr_bench_plugins import compiled
from dalr_bench_plugins.compiled import Source
from dalr_bench_plugins.senteval.recipe import Examples, Fit, Recipe, Solution, orders, start

_SOURCE = Source("dalr_bench_plugins.senteval", "fit.c", ("cc", "gcc", "clang"), ("-std=gnu11",))
_LANES = 16


class _Problem(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("x", "label", "orders", "start_w", "start_b")),
        *(
            (name, ctypes.c_int64)
            for name in ("width", "classes", "adam", "batch", "tenacity", "epoch_size", "max_epoch")
        ),
        ("lr", ctypes.c_double),
    ]


class _Fit(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("train", "dev", "penalty")),
        *((name, ctypes.c_int64) for name in ("train_rows", "dev_rows", "penalties")),
        *((name, ctypes.c_void_p) for name in ("best", "best_w", "best_b")),
    ]


@cache
def library() -> Any | None:
    """The compiled kernel; None where there is no working C compiler (or the cache cannot be written)."""
    return compiled.library(_SOURCE)


def solve(examples: Examples, fits: Sequence[Fit], recipe: Recipe) -> list[Solution]:
    """Every fit by the toolkit's arithmetic, side by side on torch's number of threads; no fit sees another."""
    width = -(-examples.rows_ND.shape[1] // _LANES) * _LANES
    problem = _Fitting(_padded(examples.rows_ND, width), examples, recipe)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return list(pool.map(problem.one, fits))


class _Fitting:
    """What all fits of one call share: padded rows, the start, and the orders by size."""

    def __init__(self, rows_NW: np.ndarray[Any, Any], examples: Examples, recipe: Recipe) -> None:
        self.rows, self.label = rows_NW, np.ascontiguousarray(examples.label_N, np.int32)
        self.recipe, self.width, self.classes = recipe, rows_NW.shape[1], examples.classes
        self.features = examples.rows_ND.shape[1]
        weight, self.bias = start(self.features, self.classes, recipe.seed)
        self.weight = _padded(weight, self.width)
        self.order = cache(lambda count, drawn: orders(count, drawn, recipe))

    def one(self, fit: Fit) -> Solution:
        kernel = library()
        assert kernel is not None, "the caller looked"
        order = self.order(len(fit.train), fit.drawn)
        recipe, count = self.recipe, len(fit.penalties)
        pointers = [_at(item) for item in (self.rows, self.label, order, self.weight, self.bias)]
        sizes = (recipe.batch, recipe.tenacity, recipe.epoch_size, recipe.max_epoch)
        problem = _Problem(*pointers, self.width, self.classes, int(recipe.optimiser == "adam"), *sizes, recipe.lr)
        given = [np.ascontiguousarray(rows, np.int32) for rows in (fit.train, fit.dev)]
        penalty = np.asarray(fit.penalties, np.float32)
        best = np.empty(count, np.float64)
        weight = np.zeros((count, self.classes, self.width), np.float32)
        bias = np.zeros((count, self.classes), np.float32)
        rows = [*map(_at, given), _at(penalty), len(fit.train), len(fit.dev), count]
        if kernel.fit(ctypes.byref(problem), ctypes.byref(_Fit(*rows, *map(_at, (best, weight, bias))))):
            raise MemoryError("no memory for a classifier of this size")
        return Solution(best, weight[:, :, : self.features], bias)


def _at(array: np.ndarray[Any, Any]) -> int:
    return int(array.ctypes.data)


def _padded(rows: np.ndarray[Any, Any], width: int) -> np.ndarray[Any, Any]:
    out = np.zeros((len(rows), width), np.float32)
    out[:, : rows.shape[1]] = rows
    return out
