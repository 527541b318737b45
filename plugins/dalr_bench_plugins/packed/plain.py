"""The pieces of a layer in torch's own operations: on any device, in any precision, with autograd."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn import functional as F

from dalr_bench_plugins.packed.draws import Draws
from dalr_bench_plugins.packed.jagged import attend_jagged, attend_padded
from dalr_bench_plugins.packed.layers import Layer
from dalr_bench_plugins.packed.packing import Group, Packing, Places

Pair = tuple[torch.Tensor, torch.Tensor]


def on_host(states: torch.Tensor) -> bool:
    """Whether attention goes group by group and masks are drawn on the host; elsewhere torch's kernels do both."""
    return states.device.type == "cpu"


class Plain:
    """Each piece gives (states for the residual, states for the next layer), here one and the same tensor.

    On a CPU dropout masks come from `draws`, elsewhere from torch's generator of the device; without `draws` there is
    no dropout at all.
    """

    def __init__(self, draws: Draws | None) -> None:
        self.draws = draws

    def begin(self) -> None:
        """A layer begins."""
        if self.draws is not None:
            self.draws.anew()

    def drop(self, states: torch.Tensor, share: float) -> torch.Tensor:
        """Dropout."""
        if self.draws is None or share <= 0:
            return states
        if not on_host(states):
            return F.dropout(states, share)
        kept = self.draws.keep(share, *states.shape)
        return states if kept is None else states * kept.mask()

    def settle(
        self, rows: torch.Tensor, linear: nn.Linear, kept: torch.Tensor, norm: nn.LayerNorm, share: float
    ) -> Pair:
        """LayerNorm(dropout(linear(rows)) + kept)."""
        fresh = self.drop(linear(rows), share)
        # In place where that keeps the precision: autocast mixes them.
        out = norm(fresh.add_(kept) if fresh.dtype == kept.dtype else fresh + kept)
        return out, out

    def activate(
        self, rows: torch.Tensor, linear: nn.Linear, activation: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """activation(linear(rows))."""
        return activation(linear(rows))

    def attend(self, states: torch.Tensor, layer: Layer, packing: Packing) -> torch.Tensor:
        """softmax(q k / sqrt(d)) v within each sentence, [V*T, H]."""
        query, key, value = (part(states) for part in (layer.query, layer.key, layer.value))
        if self.draws is not None and not on_host(states):
            return attend_jagged(query, key, value, layer, packing)
        found = []
        for group, mask in zip(packing.groups, self._masks(layer, packing, square=True), strict=True):
            asks, keys, values = (_heads(_taken(part, group, packing), layer.heads) for part in (query, key, value))
            context = _attention(asks, keys, values, mask)
            found.append(context.transpose(1, 2).reshape(packing.views, group.count * group.length, -1))
        return _joined(found).view(len(states), -1)

    def attend_first(self, states: torch.Tensor, first: torch.Tensor, layer: Layer, packing: Packing) -> torch.Tensor:
        """As `attend`, where only the first token of each sentence asks: `first` [V*N, H] to [V*N, H]."""
        query, key, value = layer.query(first), layer.key(states), layer.value(states)
        if self.draws is not None and not on_host(states):
            return attend_padded(query, key, value, layer, packing)
        rows, found, row = query.view(packing.views, -1, query.shape[-1]), [], 0
        for group, mask in zip(packing.groups, self._masks(layer, packing, square=False), strict=True):
            keys, values = (_heads(_taken(part, group, packing), layer.heads) for part in (key, value))
            asks = rows[:, row : row + group.count].reshape(len(keys), 1, layer.heads, -1).transpose(1, 2)
            found.append(_attention(asks, keys, values, mask).reshape(packing.views, group.count, -1))
            row += group.count
        return _joined(found).view(len(query), -1)

    def _masks(self, layer: Layer, packing: Packing, square: bool) -> Iterator[torch.Tensor | None]:
        """Dropout of attention by group, [V*n, heads, rows, length]; drawn as the fused way does: sentence by sentence and
        key by key, [heads, length, length] or (one question a head) [length, heads].
        """
        places = packing.places_S(layer.heads, square).tolist()
        kept = None if self.draws is None else self.draws.keep_scores(layer.attention_dropout, places[-1])
        by_view = None if kept is None else kept.mask().view(packing.views, -1)
        row = 0
        for group in packing.groups:
            start, end = places[row], places[row + group.count]
            row += group.count
            heads, keys = layer.heads, group.length
            shape = (-1, heads, keys, keys) if square else (-1, keys, heads, 1)
            turn = (0, 1, 3, 2) if square else (0, 2, 3, 1)
            yield None if by_view is None else by_view[:, start:end].reshape(shape).permute(turn)


def _taken(part: torch.Tensor, group: Group, packing: Packing) -> torch.Tensor:
    """[V*T, H] to the group's [V*n, L, H]."""
    views = part.view(packing.views, packing.tokens, -1)[:, group.tokens]
    return views.reshape(packing.views * group.count, group.length, -1)


def _heads(part: torch.Tensor, heads: int) -> torch.Tensor:
    """[n, L, H] as [n, heads, L, H/heads]."""
    return part.view(len(part), part.shape[1], heads, -1).transpose(1, 2)


def _joined(parts: list[torch.Tensor]) -> torch.Tensor:
    # Most batches of evaluation hold one length, and torch would copy it.
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def _attention(asks: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    if mask is None:
        return F.scaled_dot_product_attention(asks, keys, values)
    scores = asks @ keys.transpose(-1, -2) / asks.shape[-1] ** 0.5
    found: torch.Tensor = (scores.softmax(-1) * mask).to(values.dtype) @ values
    return found


def means(states: torch.Tensor, packing: Packing) -> torch.Tensor:
    """Mean over each sentence's tokens, [V*N, H]."""
    views = states.view(packing.views, packing.tokens, -1)
    sizes = [group.count * group.length for group in packing.groups]
    parts = [
        part.reshape(packing.views, group.count, group.length, -1).mean(2)
        for part, group in zip(torch.split_with_sizes(views, sizes, 1), packing.groups, strict=True)
    ]
    return _joined(parts).reshape(-1, states.shape[-1])


def firsts(states: torch.Tensor, packing: Packing, places: Places) -> torch.Tensor:
    """Each sentence's first token, [V*N, H]."""
    views = states.view(packing.views, packing.tokens, -1)
    return views.index_select(1, places.first_N).view(-1, states.shape[-1])
