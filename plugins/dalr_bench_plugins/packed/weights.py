"""The weights of a layer as its products read them: anew at every call, or made ready once for a run of batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from dalr_bench_plugins.packed.layers import Layer
from dalr_bench_plugins.packed.linear import ready


class Live:
    """The parameters as they are at this call, with gradient."""

    def of(self, part: nn.Linear) -> torch.Tensor:
        """[out, in]."""
        return part.weight

    def attention(self, layer: Layer) -> tuple[torch.Tensor, torch.Tensor]:
        """Those of query, key and value in one: [3H, H] and [3H]."""
        return _joined(layer)


class Held:
    """The same numbers in the order that is multiplied fastest; held for one forward's batches, so they cannot go stale.

    `rows`: tokens of a usual batch, which the order is made for.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._made: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def of(self, part: nn.Linear) -> torch.Tensor:
        """As `Live.of`, for forwards alone."""
        return self._once(id(part), lambda: (part.weight, part.bias))[0]

    def attention(self, layer: Layer) -> tuple[torch.Tensor, torch.Tensor]:
        """As `Live.attention`, for forwards alone."""
        return self._once(id(layer.query), lambda: _joined(layer))

    def _once(
        self, key: int, make: Callable[[], tuple[torch.Tensor, torch.Tensor]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if key not in self._made:
            weight, bias = make()
            self._made[key] = (ready(weight, self._rows), bias)
        return self._made[key]


def _joined(layer: Layer) -> tuple[torch.Tensor, torch.Tensor]:
    parts: Sequence[nn.Linear] = (layer.query, layer.key, layer.value)
    return torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])
