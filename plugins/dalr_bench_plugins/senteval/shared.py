"""A quick look: all folds and penalties of a task in shared minibatches. Not the toolkit's numbers; marked in the
protocol.

One shuffled pass over all rows serves every fit; rows outside a fit's training fold weigh nothing in its gradient. The
minibatch is so much larger that a fit sees about the recipe's number of its own rows. Scores differ by up to a point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dalr_bench_plugins.senteval.recipe import Examples, Fit, Recipe, Solution, start


@dataclass(frozen=True)
class Shared:
    """A solver like the exact one. A single set of rows shares nothing and goes to `alone`."""

    alone: Callable[[Examples, Sequence[Fit], Recipe], list[Solution]]

    def __call__(self, examples: Examples, fits: Sequence[Fit], recipe: Recipe) -> list[Solution]:
        return _Shared(examples, fits, recipe).run() if len(fits) > 1 else self.alone(examples, fits, recipe)


class _Shared:
    """F sets of rows with K penalties: parameters [D + 1, F * K, C], the last input being 1."""

    def __init__(self, examples: Examples, fits: Sequence[Fit], recipe: Recipe) -> None:
        self.recipe, self.fits, self.classes = recipe, fits, examples.classes
        rows = torch.from_numpy(np.ascontiguousarray(examples.rows_ND, np.float32))
        self.x = torch.cat([rows, torch.ones(len(rows), 1)], 1)
        self.y = torch.from_numpy(examples.label_N.astype(np.int64))
        self.hot = torch.nn.functional.one_hot(self.y, self.classes).float()
        self.in_train, self.in_dev = (self._masks(part) for part in ("train", "dev"))
        weight, bias = (torch.from_numpy(part) for part in start(rows.shape[1], self.classes, recipe.seed))
        penalties = len(fits[0].penalties)
        self.set_of = torch.arange(len(fits)).repeat_interleave(penalties)
        self.decay = torch.tensor([p for fit in fits for p in fit.penalties], dtype=torch.float32)
        self.w = torch.cat([weight.T, bias[None]])[:, None].repeat(1, len(self.decay), 1)
        self.optimiser = self._optimiser(self.w)
        self.best = torch.full((len(self.decay),), -1.0, dtype=torch.float64)
        self.best_w = torch.zeros_like(self.w)
        self.failures = torch.zeros(len(self.decay), dtype=torch.int64)
        self.alive = torch.ones(len(self.decay), dtype=torch.bool)

    def run(self) -> list[Solution]:
        """Train until every fit has stopped; a stopped one trains on unseen, its best weights kept."""
        shuffle = np.random.RandomState(self.recipe.seed)
        for _ in range(0, self.recipe.passes, self.recipe.epoch_size):
            for _ in range(self.recipe.epoch_size):
                for batch in self._batches(shuffle):
                    self._step(batch)
            self._check()
            if not self.alive.any():
                break
        weight = self.best_w.view(len(self.w), len(self.fits), -1, self.classes).permute(1, 2, 3, 0).numpy()
        best = self.best.view(len(self.fits), -1).numpy()
        return [Solution(best[i], weight[i][:, :, :-1], weight[i][:, :, -1]) for i in range(len(self.fits))]

    def _masks(self, part: str) -> torch.Tensor:
        mask_NF = torch.zeros(len(self.x), len(self.fits))
        for column, fit in enumerate(self.fits):
            mask_NF[torch.from_numpy(getattr(fit, part).astype(np.int64)), column] = 1
        return mask_NF

    def _optimiser(self, weight: torch.Tensor) -> torch.optim.Optimizer:
        kind = torch.optim.Adam if self.recipe.optimiser == "adam" else torch.optim.RMSprop
        return kind([weight], lr=self.recipe.lr)

    def _batches(self, shuffle: np.random.RandomState) -> Iterator[torch.Tensor]:
        used = torch.nonzero(self.in_train.sum(1)).flatten()
        share = float(self.in_train[used].mean())
        order = used[torch.from_numpy(shuffle.permutation(len(used)))]
        size = round(self.recipe.batch / share)
        yield from (order[first : first + size] for first in range(0, len(order), size))

    def _step(self, batch: torch.Tensor) -> None:
        x, mask = self.x[batch], self.in_train[batch]
        weigh = (mask / mask.sum(0).clamp_min(1))[:, self.set_of, None]
        p = (x @ self.w.flatten(1)).view(len(x), -1, self.classes).softmax(-1)
        p = p.sub_(self.hot[batch][:, None]).mul_(weigh)
        self.w.grad = (x.T @ p.flatten(1)).view_as(self.w).addcmul_(self.w, self.decay[None, :, None])
        self.optimiser.step()

    def _check(self) -> None:
        guessed = (self.x @ self.w.flatten(1)).view(len(self.x), -1, self.classes).argmax(-1)
        right = (guessed == self.y[:, None]).double() * self.in_dev[:, self.set_of]
        accuracy = right.sum(0) / self.in_dev.sum(0)[self.set_of]
        better = self.alive & (accuracy > self.best)
        worse = self.alive & ~better
        self.best = torch.where(better, accuracy, self.best)
        self.best_w[:, better] = self.w[:, better]
        self.alive &= ~(worse & (self.failures >= self.recipe.tenacity))
        self.failures += worse
