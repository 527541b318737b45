"""A batch cut so that few shapes ever occur: slices of equally many rows, from short to long, each of one of few widths.

What is compiled is compiled for one shape (rows, width). Equal row counts leave the width as the only thing that differs
between slices, and widths go in steps: by 8 up to 32, then four to an octave.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Rows of a slice: enough for a product of matrices to be worth its call, few enough for lengths to be alike.
_ROWS = {"cpu": 16, "cuda": 64}
# A CUDA graph is recorded for every sequence of shapes within a step, and their number grows with each further slice.
_GRAPHED = 2
_GRAIN = 8
_EVEN = 4  # a batch that is one slice: to a multiple of this


def rows_of_a_slice(count: int, device: str, graphs: bool) -> int:
    """How many rows each slice of a batch of `count` has: a matter of `count` alone, so one number for all full batches."""
    parts = -(-count // _ROWS.get(device, _ROWS["cuda"]))
    parts = min(parts, _GRAPHED) if graphs else parts
    each = -(-count // parts)
    return -(-each // _EVEN) * _EVEN


def filled(lengths_N: NDArray[np.int64], rows: int) -> NDArray[np.int64]:
    """Row numbers from short to long, the longest one repeated until slices of `rows` are full."""
    order = np.argsort(lengths_N, kind="stable")
    return np.concatenate([order, np.repeat(order[-1:], -len(order) % rows)])


def width_of(longest: int, most: int) -> int:
    """The width a slice is padded to: the next step from its `longest` sentence on, never past `most`."""
    grain = max(_GRAIN, 1 << max(0, (longest - 1).bit_length() - 3))
    return min(-(-longest // grain) * grain, most)


def widths_of(lengths_N: NDArray[np.int64], order: NDArray[np.int64], rows: int, most: int) -> list[int]:
    """The width of each slice of a `filled` order."""
    return [width_of(int(last), most) for last in lengths_N[order[rows - 1 :: rows]]]
