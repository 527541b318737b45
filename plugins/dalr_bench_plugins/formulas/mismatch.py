"""Who stands for a wrong partner: a derangement that avoids the same picture, or a roll."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from dalr_bench.sending import sent

if TYPE_CHECKING:
    from torch import Generator, Tensor


def rolled(like_N: Tensor, by: int) -> Tensor:
    """Partner of i is (i − by) mod N, as torch.roll has it, [N]."""
    n = len(like_N)
    return (torch.arange(n, device=like_N.device) - by) % n


def deranged(keys_N: Tensor, generator: Generator) -> Tensor:
    """A random permutation π with keys[π(i)] ≠ keys[i] for every i, [N]; no number leaves the device.

    Rows are laid out picture by picture (pictures in random order, captions of one side by side) and turned by r
    places, g ≤ r ≤ N − g drawn at random, g the largest number of captions of one picture: nobody lands in his own
    block. Where 2g > N no such permutation exists; then r = N // 2, and whoever met his own picture must be masked by
    the caller.
    """
    n = len(keys_N)
    device = keys_N.device
    rank_N = sent(torch.randperm(n, generator=generator), device)
    draw = sent(torch.rand((), generator=generator), device)
    same_NN = keys_N[:, None] == keys_N[None, :]
    block_N = rank_N.expand(n, n).masked_fill(~same_NN, n).amin(1)
    order_N = (block_N * n + rank_N).argsort()
    largest = same_NN.sum(1).amax()
    turn = torch.minimum(largest, torch.full_like(largest, n // 2))
    turn = turn + (draw * (n - 2 * turn + 1)).long().clamp_max(n - 2 * turn)
    turned_N = order_N[(torch.arange(n, device=device) + turn) % n]
    return torch.empty_like(order_N).scatter_(0, order_N, turned_N)


def pair_losses(cos_N: Tensor, margin: float) -> Tensor:
    """What a wrong pair costs: max(0, cos − margin), [N]."""
    return (cos_N - margin).clamp_min(0)
