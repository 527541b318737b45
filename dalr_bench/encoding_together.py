"""Evaluation shared over the processes of a run: whole batches go round, so every row is what one process alone would give.

The first process has the sentences and the order of the batches. It tells the ids of a few batches; each process encodes every
`size`-th of them, from its own copy of the weights, and sends its rows back. A batch is never cut, so the rows are equal to the bit
wherever a batch gives the same rows on all devices that take part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dalr_bench.evaluate.batches import BatchEncoder, Places, Rows
from dalr_bench.evaluate.token_cache import TokenIds
from dalr_bench.stopping import undisturbed
from dalr_bench.train.distributed import Group
from dalr_bench.train.words import Word

# Batches of one process between two words: long enough to be worth a word, short enough to leave when asked.
_AT_ONCE = 16


@dataclass(frozen=True)
class EncodingTogether:
    """Implements `batches.Encoded` at the first process of several."""

    group: Group

    def __call__(
        self, encoder: BatchEncoder, ids: TokenIds, batches: Sequence[Places]
    ) -> Iterator[tuple[Places, Rows]]:
        """Every batch with its rows, in order; inside `looking`."""
        line = self.group.line
        assert line is not None
        step = _AT_ONCE * line.size
        for first in range(0, len(batches), step):
            part = batches[first : first + step]
            flat = torch.from_numpy(ids.packed(np.concatenate(part)).astype(np.int32))
            lengths = torch.from_numpy(ids.lengths[np.concatenate(part)])
            with undisturbed():
                line.say(Word.ENCODE, len(flat), sizes=[len(batch) for batch in part], precision=encoder.precision)
                found = _shared(self.group, encoder, (line.tell(flat), line.tell(lengths)), [len(batch) for batch in part])
            yield from zip(part, found, strict=True)


def encode_along(group: Group, encoder: BatchEncoder, tokens: int, sizes: list[int]) -> None:
    """The part of every other process in what was told."""
    flat, lengths = torch.empty(tokens, dtype=torch.int32), torch.empty(sum(sizes), dtype=torch.long)
    line = group.line
    assert line is not None
    with encoder.looking():
        _shared(group, encoder, (line.tell(flat), line.tell(lengths)), sizes)


def _shared(group: Group, encoder: BatchEncoder, told: tuple[torch.Tensor, ...], sizes: list[int]) -> list[Rows]:
    """Rows of every batch at the first process; nothing of use elsewhere."""
    line = group.line
    assert line is not None
    flat, lengths = (tensor.numpy() for tensor in told)
    ids = TokenIds(flat, np.concatenate([[0], np.cumsum(lengths)]))
    ends = np.cumsum(sizes)
    batches = [np.arange(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    mine = [encoder.encode(ids, batch) for batch in batches[line.rank :: line.size]]
    if group.shard is not None and line.rank >= (len(batches) - 1) % line.size + 1:
        encoder.encode(ids, batches[-1])  # the others need this process's part of the weights once more
    rows = np.concatenate(mine) if mine else np.zeros((0, encoder.backbone.dim), np.float32)
    counts = [sum(sizes[rank :: line.size]) for rank in range(line.size)]
    found: list[Any] = line.collect(torch.from_numpy(rows), counts)
    if not found:
        return []
    whose = [np.split(part.numpy(), np.cumsum(sizes[rank :: line.size])[:-1]) for rank, part in enumerate(found)]
    return [whose[number % line.size][number // line.size] for number in range(len(sizes))]
