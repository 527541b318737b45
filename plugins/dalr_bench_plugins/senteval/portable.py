"""The classifier fits in plain torch, for machines without a C compiler: fits of one size run together in batched
products.

Every fit sees its own rows in the toolkit's order; what is shared between fits of equal size is the permutation,
since each of them is seeded alike. Same scores as `native.py`, at a third to a tenth of its speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dalr_bench_plugins.senteval.recipe import Examples, Fit, Recipe, Solution, orders, start


def solve(examples: Examples, fits: Sequence[Fit], recipe: Recipe) -> list[Solution]:
    """Every fit by the toolkit's arithmetic; those with the same number of rows and penalties together."""
    together: dict[tuple[int, int | None, int], list[int]] = {}
    for place, fit in enumerate(fits):
        together.setdefault((len(fit.train), fit.drawn, len(fit.penalties)), []).append(place)
    found: dict[int, Solution] = {}
    for places in together.values():
        group = _Group(examples, [fits[place] for place in places], recipe)
        found |= zip(places, group.run(), strict=True)
    return [found[place] for place in range(len(fits))]


@dataclass
class _Moments:
    """torch's Adam or RMSprop (no momentum) on a whole stack of parameters at once, L2 in the gradient."""

    recipe: Recipe
    first: Tensor
    second: Tensor
    step: int = 0

    def apply(self, weight: Tensor, gradient: Tensor, decay: Tensor) -> None:
        self.step += 1
        gradient.addcmul_(weight, decay)
        if self.recipe.optimiser == "adam":
            self.first.lerp_(gradient, 1 - 0.9)
            self.second.mul_(0.999).addcmul_(gradient, gradient, value=1 - 0.999)
            root = self.second.sqrt().div_((1 - 0.999**self.step) ** 0.5).add_(1e-8)
            weight.addcdiv_(self.first, root, value=-self.recipe.lr / (1 - 0.9**self.step))
        else:
            self.second.mul_(0.99).addcmul_(gradient, gradient, value=1 - 0.99)
            weight.addcdiv_(gradient, self.second.sqrt().add_(1e-8), value=-self.recipe.lr)


class _Group:
    """F sets of N rows with K penalties each. Parameters are [F, D + 1, K * C]: the last of D + 1 is the bias (its
    input is 1).
    """

    def __init__(self, examples: Examples, fits: Sequence[Fit], recipe: Recipe) -> None:
        self.recipe, self.classes, self.fits = recipe, examples.classes, fits
        rows = torch.from_numpy(np.ascontiguousarray(examples.rows_ND, np.float32))
        self.x = torch.cat([rows, torch.ones(len(rows), 1)], 1)
        self.y = torch.from_numpy(examples.label_N.astype(np.int64))
        self.hot = torch.nn.functional.one_hot(self.y, self.classes).float()
        weight, bias = (torch.from_numpy(part) for part in start(rows.shape[1], self.classes, recipe.seed))
        sets, penalties = len(fits), len(fits[0].penalties)
        one = torch.cat([weight.T, bias[None]])
        self.w = one[None, :, None].repeat(sets, 1, penalties, 1).reshape(sets, len(one), penalties * self.classes)
        decay = torch.tensor([list(fit.penalties) for fit in fits], dtype=torch.float32)
        self.decay = decay.repeat_interleave(self.classes, 1)[:, None]
        self.moments = _Moments(recipe, torch.zeros_like(self.w), torch.zeros_like(self.w))
        self.train = torch.from_numpy(np.stack([fit.train for fit in fits]).astype(np.int64))
        self.running = np.arange(sets)
        self.alive = np.ones((sets, penalties), bool)
        self.failures = np.zeros((sets, penalties), int)
        self.best = np.full((sets, penalties), -1.0)
        self.best_w = torch.zeros_like(self.w)

    def run(self) -> list[Solution]:
        """Train until every fit has stopped."""
        order = torch.from_numpy(orders(self.train.shape[1], self.fits[0].drawn, self.recipe).astype(np.int64))
        for first in range(0, len(order), self.recipe.epoch_size):
            for permutation in order[first : first + self.recipe.epoch_size]:
                self._pass(self.train[:, permutation])
            self._check()
            if not len(self.running):
                break
        stacked = self.best_w.view(*self.best_w.shape[:2], -1, self.classes).permute(0, 2, 3, 1).numpy()
        return [Solution(self.best[i], w[:, :, :-1], w[:, :, -1]) for i, w in enumerate(stacked)]

    def _pass(self, rows_FN: Tensor) -> None:
        gradient = torch.empty_like(self.w)
        for first in range(0, rows_FN.shape[1], self.recipe.batch):
            batch = rows_FN[:, first : first + self.recipe.batch]
            sets, count = batch.shape
            x = self.x.index_select(0, batch.reshape(-1)).view(sets, count, -1)
            p = torch.bmm(x, self.w).view(sets, count, -1, self.classes).softmax(-1)
            p.sub_(self.hot.index_select(0, batch.reshape(-1)).view(sets, count, 1, -1)).mul_(1 / count)
            torch.bmm(x.transpose(1, 2), p.flatten(2), out=gradient)
            self.moments.apply(self.w, gradient, self.decay)

    def _check(self) -> None:
        """The toolkit's stop rule: failures to improve are counted over the whole fit, never reset."""
        for place, index in enumerate(self.running.tolist()):
            dev = torch.from_numpy(self.fits[index].dev.astype(np.int64))
            logits = (self.x[dev] @ self.w[place]).view(len(dev), -1, self.classes)
            accuracy = (logits.argmax(-1) == self.y[dev][:, None]).sum(0).numpy() / len(dev)
            better = self.alive[index] & (accuracy > self.best[index])
            worse = self.alive[index] & ~better
            self.best[index, better] = accuracy[better]
            columns = torch.from_numpy(np.repeat(better, self.classes))
            self.best_w[index][:, columns] = self.w[place][:, columns]
            self.alive[index, worse & (self.failures[index] >= self.recipe.tenacity)] = False
            self.failures[index, worse] += 1
        self._drop(np.any(self.alive[self.running], axis=1))

    def _drop(self, keep: NDArray[np.bool_]) -> None:
        if keep.all():
            return
        kept = torch.from_numpy(np.flatnonzero(keep))
        self.w, self.decay, self.train = self.w[kept], self.decay[kept], self.train[kept]
        self.moments.first, self.moments.second = self.moments.first[kept], self.moments.second[kept]
        self.running = self.running[keep]
