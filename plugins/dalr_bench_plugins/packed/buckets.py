"""For encoders whose layers are not known here: the batch in a few buckets of similar length, each padded by itself.

The rows come back in the batch's own order, so that a loss sees what it would see of the whole padded batch.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from dalr_bench import TokenBatch
from dalr_bench.sending import sent

# What a further bucket costs, in tokens: on a CPU next to nothing, on a GPU some hundred kernels more.
_OVERHEAD = {"cpu": 64, "cuda": 4096}
_STEPS = 48  # lengths told apart; longer ranges are cut more coarsely

Forward = Callable[[TokenBatch, int], tuple[torch.Tensor, torch.Tensor]]


def by_length(tokens: TokenBatch, views: int, forward: Forward) -> tuple[torch.Tensor, torch.Tensor]:
    """`forward(bucket, views)` of every bucket: rows [V*N, D] and states [V*N, L, D], view-major, in the batch's order."""
    assert tokens.lengths_N is not None, "the caller looked"
    device, (count, width) = tokens.ids_NL.device, tokens.ids_NL.shape
    buckets = split(tokens.lengths_N, _OVERHEAD.get(device.type, _OVERHEAD["cuda"]))
    if len(buckets) == 1:
        return forward(tokens, views)
    order = np.concatenate(buckets)
    back = np.empty_like(order)
    back[order] = np.arange(count)
    places = sent(torch.from_numpy(np.concatenate([order, back])), device)
    order_N, back_N = torch.split_with_sizes(places, [count, count])
    rows, states = [], []
    for bucket, rows_B in zip(buckets, torch.split_with_sizes(order_N, [len(one) for one in buckets]), strict=True):
        longest = int(tokens.lengths_N[bucket].max())
        part = TokenBatch(tokens.ids_NL[rows_B, :longest], tokens.mask_NL[rows_B, :longest])
        pooled, last = forward(part, views)
        rows.append(pooled.view(views, len(bucket), -1))
        states.append(torch.nn.functional.pad(last, (0, 0, 0, width - longest)).view(views, len(bucket), width, -1))
    pooled_VND = torch.cat(rows, 1).index_select(1, back_N)
    states_VNLD = torch.cat(states, 1).index_select(1, back_N)
    return pooled_VND.flatten(0, 1), states_VNLD.flatten(0, 1)


def split(lengths_N: NDArray[np.int64], overhead: int) -> list[NDArray[np.int64]]:
    """Row numbers of each bucket, from short to long: the split with the fewest padded tokens plus `overhead` a bucket."""
    grain = -(-int(lengths_N.max()) // _STEPS)
    rounded = -(-lengths_N // grain) * grain
    kinds, counts = np.unique(rounded, return_counts=True)
    ends = np.concatenate([[0], np.cumsum(counts)])
    best, cut = [0.0], [0]
    for last in range(1, len(kinds) + 1):
        costs = np.asarray(best) + (ends[last] - ends[:last]) * kinds[last - 1] + overhead
        cut.append(int(costs.argmin()))
        best.append(float(costs.min()))
    edges = [len(kinds)]
    while edges[-1]:
        edges.append(cut[edges[-1]])
    order = np.argsort(rounded, kind="stable")
    return [order[ends[first] : ends[last]] for first, last in pairwise(reversed(edges))]
