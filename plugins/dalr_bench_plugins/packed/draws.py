"""Random bits for dropout on a CPU: 16 for each number, several times cheaper than torch's own draws.

numpy's SFC64, seeded from torch's generator: a step's masks stay a function of (seed, step), and whoever restores
torch's generator and runs a forward again gets the same masks.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch


class Kept(NamedTuple):
    """Draws int16, kept where at least `threshold`, times `scale`: probability exact to 2^-16."""

    bits: torch.Tensor
    threshold: int
    scale: float

    def mask(self) -> torch.Tensor:
        """0 or 1/(1-p) for every number."""
        return self.bits.ge(self.threshold).mul(self.scale)


class Draws:
    """One forward's draws, in the order of its places."""

    _generator: np.random.Generator

    def __init__(self) -> None:
        self.anew()

    def anew(self) -> None:
        """Seed from torch's generator: at the start and at every layer, which may so be computed again by itself."""
        seed = int(torch.randint(0, 2**63 - 1, (), dtype=torch.int64))
        self._generator = np.random.Generator(np.random.SFC64(seed))

    def bits(self, *shape: int) -> torch.Tensor:
        """int16 of that shape, each value equally likely."""
        count = math.prod(shape)
        words = self._generator.integers(0, 2**64 - 1, size=count // 4 + 1, dtype=np.uint64, endpoint=True)
        return torch.from_numpy(words.view(np.int16))[:count].view(shape)

    def keep(self, share: float, *shape: int) -> Kept | None:
        """What a dropout of probability `share` keeps; None where it drops nothing."""
        if share <= 0:
            return None
        return Kept(self.bits(*shape), round(share * 65536) - 32768, 1.0 / (1.0 - share))

    def keep_scores(self, share: float, count: int) -> Kept | None:
        """As `keep` of `count` numbers; behind them lie 15 more, which the kernels of attention read and do not use."""
        found = self.keep(share, count + 15)
        return None if found is None else found._replace(bits=found.bits[:count])
