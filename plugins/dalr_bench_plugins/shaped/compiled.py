"""An encoder's training forward by `torch.compile`: one graph for each shape of a slice, compiled when it first comes up."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch.nn import functional as F

from dalr_bench import TokenBatch
from dalr_bench.sending import sent
from dalr_bench_plugins.networks.pooling import Pooling
from dalr_bench_plugins.packed.layers import layers
from dalr_bench_plugins.shaped.forward import Stack, embedded, stack_of, through
from dalr_bench_plugins.shaped.slices import filled, rows_of_a_slice, widths_of

_MODES = {"default": None, "graphs": "reduce-overhead"}


class Compiled:
    """Rows [V*N, D] and states [V*N, L, D] of a batch in its own order, as `packed.forward.trained` gives them.

    Dropout's draws are a function of torch's generator: inductor takes one seed of it for each place in each call.
    """

    def __init__(self, encoder: Any, pooling: Pooling, limits: tuple[int, int], mode: Literal["default", "graphs"]) -> None:
        self.encoder, self.pooling, self.mode = encoder, pooling, mode
        self.most, self.pad_id = limits
        self._stack: Stack | None = None
        self._run: Any = torch.compile(through, fullgraph=True, dynamic=False, mode=_MODES[mode])

    def __call__(self, tokens: TokenBatch, views: int, states: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        """As of the class. Without gradients the same code runs, and its graph is let go: the rows are equal to the bit."""
        if torch.is_grad_enabled():
            return self._slices(tokens, views, states)
        with torch.enable_grad():
            rows, last = self._slices(tokens, views, states)
        return rows.detach(), None if last is None else last.detach()

    def _slices(self, tokens: TokenBatch, views: int, states: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        assert tokens.lengths_N is not None, "the caller looked"
        count, width = tokens.ids_NL.shape
        device = tokens.ids_NL.device
        each = rows_of_a_slice(count, device.type, self.mode == "graphs")
        order = filled(tokens.lengths_N, each)
        widths = widths_of(tokens.lengths_N, order, each, self.most)
        order_F, back_N = _sent(order, count, device)
        spare = max(0, widths[-1] - width)
        ids_FL = F.pad(tokens.ids_NL, (0, spare), value=self.pad_id).index_select(0, order_F)
        real_FL = F.pad(tokens.mask_NL, (0, spare)).index_select(0, order_F)
        found, last = [], []
        for number, wide in enumerate(widths):
            part = slice(number * each, (number + 1) * each)
            rows, own = self._one(ids_FL[part, :wide], real_FL[part, :wide], views, states)
            found.append(rows.unflatten(0, (views, each)))
            if own is not None:
                own = F.pad(own[:, :width], (0, 0, 0, max(0, width - wide)))
                last.append(own.unflatten(0, (views, each)))
        return _ordered(found, back_N), _ordered(last, back_N) if last else None

    def _one(
        self, ids_RL: torch.Tensor, real_RL: torch.Tensor, views: int, states: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        if self._stack is None:
            self._stack = stack_of(self.encoder, layers(self.encoder), self.pooling)
        looked_up = embedded(self.encoder.embeddings, ids_RL)
        rows, last = self._run(self._stack, looked_up, real_RL.contiguous(), views, states)
        return rows, last


def _sent(order: np.ndarray[Any, Any], count: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The order of slices, and where in it row i of the batch stands, in one copy that the host does not wait for."""
    back = np.empty(count, np.int64)
    back[order[:count]] = np.arange(count)
    both = sent(torch.from_numpy(np.concatenate([order, back])), device)
    first, second = torch.split_with_sizes(both, [len(order), count])
    return first, second


def _ordered(parts: list[torch.Tensor], back_N: torch.Tensor) -> torch.Tensor:
    """Slices [V, R, ...] as [V*N, ...] in the batch's order; rows that only filled up are left out."""
    return torch.cat(parts, 1).index_select(1, back_N).flatten(0, 1)
