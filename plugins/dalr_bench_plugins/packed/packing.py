"""Where the tokens of a batch lie when nothing is padded: sentences from short to long, one view behind the other.

Everything follows from lengths the host knows, so that no device is asked; what a device needs goes there in one copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dalr_bench.sending import sent


@dataclass(frozen=True)
class Group:
    """`count` sentences of `length` tokens each, one after another from token `start` of a view."""

    start: int
    count: int
    length: int

    @property
    def tokens(self) -> slice:
        return slice(self.start, self.start + self.count * self.length)


@dataclass(frozen=True)
class Places:
    """Numbers on the device. T tokens and N sentences are those of one view; V*N sentences are view-major.

    `index_T`: where a token lies in the padded ids, read row by row. `position_T`: its place in its sentence.
    `opening_T`: the first token of its sentence. `first_N`: each sentence's first token. `back_N`: where in the order
    of lengths row i of the batch stands. `start_S`: first tokens of all V*N sentences among all V*T, and the end, [V*N + 1].
    """

    index_T: torch.Tensor
    position_T: torch.Tensor
    opening_T: torch.Tensor
    first_N: torch.Tensor
    back_N: torch.Tensor
    start_S: torch.Tensor


@dataclass(frozen=True)
class Packing:
    """`lengths_N` (each at least 1) of the batch's rows in their own order, the padded `width`, and the dropout views."""

    lengths_N: NDArray[np.int64]
    width: int
    views: int = 1
    _there: dict[torch.device, Places] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def order_N(self) -> NDArray[np.int64]:
        """Row numbers from short to long; rows of one length keep their order."""
        return np.argsort(self.lengths_N, kind="stable")

    @cached_property
    def sorted_N(self) -> NDArray[np.int64]:
        return self.lengths_N[self.order_N]

    @cached_property
    def tokens(self) -> int:
        """T: tokens of one view."""
        return int(self.lengths_N.sum())

    @cached_property
    def start_S(self) -> NDArray[np.int64]:
        """First tokens of all V*N sentences among all V*T, and the end: [V*N + 1]."""
        return np.concatenate([[0], np.cumsum(np.tile(self.sorted_N, self.views))])

    def places_S(self, heads: int, square: bool, lanes: int = 1) -> NDArray[np.int64]:
        """Where each sentence's probabilities of attention start, and the end.

        They lie key by key: [heads, length, length], or [length, heads] where one token of a sentence asks; the last
        dimension is filled up to a multiple of `lanes`.
        """
        lengths = np.tile(self.sorted_N, self.views)
        asked = -(-(lengths if square else np.int64(heads)) // lanes) * lanes
        return np.concatenate([[0], np.cumsum(lengths * asked * (heads if square else 1))])

    @cached_property
    def groups(self) -> list[Group]:
        """Runs of equal length in one view."""
        return list(_groups(self.sorted_N.tolist()))

    def on(self, device: torch.device) -> Places:
        """The device's numbers, in one copy that the host does not wait for; made once."""
        if device not in self._there:
            self._there[device] = self._sent(device)
        return self._there[device]

    def _sent(self, device: torch.device) -> Places:
        first = self.start_S[: len(self.lengths_N)]
        opening = np.repeat(first, self.sorted_N)
        position = np.arange(self.tokens) - opening
        index = np.repeat(self.order_N * self.width, self.sorted_N) + position
        back = np.empty_like(self.order_N)
        back[self.order_N] = np.arange(len(back))
        parts = (index, position, opening, first, back, self.start_S)
        whole = sent(torch.from_numpy(np.concatenate(parts)), device)
        return Places(*torch.split_with_sizes(whole, [len(part) for part in parts]))


def packed(lengths_N: Sequence[int]) -> Packing:
    """Of sentences that lie packed already, whose lengths never fall."""
    lengths = np.asarray(lengths_N, np.int64)
    return Packing(lengths, int(lengths.max()))


def in_pieces(lengths_N: Sequence[int], tokens: int) -> Iterator[Sequence[int]]:
    """Runs of sentences of at most `tokens` tokens together; a longer sentence is a run by itself."""
    first, held = 0, 0
    for place, length in enumerate(lengths_N):
        if held and held + length > tokens:
            yield lengths_N[first:place]
            first, held = place, 0
        held += length
    yield lengths_N[first:]


def _groups(lengths: Sequence[int]) -> Iterator[Group]:
    changes = [place for place, (one, next_one) in enumerate(pairwise(lengths), 1) if one != next_one]
    start = 0
    for first, end in pairwise([0, *changes, len(lengths)]):
        yield Group(start, end - first, lengths[first])
        start += (end - first) * lengths[first]


def padded(states_SH: torch.Tensor, packing: Packing, places: Places) -> torch.Tensor:
    """Token states [V*T, H] back in rows of the batch's order: [V*N, width, H], zero where there is no token."""
    rows, width = len(packing.lengths_N), packing.width
    empty: Any = states_SH.new_zeros(packing.views, rows * width, states_SH.shape[-1])
    filled = empty.index_copy(1, places.index_T, states_SH.view(packing.views, packing.tokens, -1))
    out: torch.Tensor = filled.view(packing.views * rows, width, -1)
    return out
