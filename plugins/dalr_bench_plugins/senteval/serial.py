"""The classifier fits one after another with torch's own layer and optimiser, as the toolkit runs them: the other
side of `dalr-bench bench transfer`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from dalr_bench_plugins.senteval.recipe import Examples, Fit, Floats, Recipe, Rows, Solution, orders, start


def solve(examples: Examples, fits: Sequence[Fit], recipe: Recipe) -> list[Solution]:
    """Every fit alone, every penalty alone."""
    out: list[Solution] = []
    for fit in fits:
        order = orders(len(fit.train), fit.drawn, recipe)
        alone = [_Alone(examples, fit, recipe, penalty).run(order) for penalty in fit.penalties]
        accuracy = np.array([best for best, _, _ in alone])
        out.append(Solution(accuracy, np.stack([w for _, w, _ in alone]), np.stack([b for _, _, b in alone])))
    return out


class _Alone:
    def __init__(self, examples: Examples, fit: Fit, recipe: Recipe, penalty: float) -> None:
        self.recipe = recipe
        self.x, self.y = (torch.from_numpy(part) for part in (examples.rows_ND, examples.label_N.astype(np.int64)))
        self.train, self.dev = (torch.from_numpy(rows.astype(np.int64)) for rows in (fit.train, fit.dev))
        weight, bias = (torch.from_numpy(part) for part in start(self.x.shape[1], examples.classes, recipe.seed))
        # Parameters rather than a layer: a new layer would draw from the global generator.
        self.weight, self.bias = (torch.nn.Parameter(part.clone()) for part in (weight, bias))
        kind = torch.optim.Adam if recipe.optimiser == "adam" else torch.optim.RMSprop
        self.optimiser = kind([self.weight, self.bias], lr=recipe.lr, weight_decay=penalty)

    def run(self, order: Rows) -> tuple[float, Floats, Floats]:
        best, failures, kept = -1.0, 0, self._parameters()
        x, y = self.x[self.train], self.y[self.train]
        for first in range(0, len(order), self.recipe.epoch_size):
            for permutation in order[first : first + self.recipe.epoch_size]:
                self._pass(x, y, torch.from_numpy(permutation.astype(np.int64)))
            accuracy = self._score()
            if accuracy > best:
                best, kept = accuracy, self._parameters()
            elif failures >= self.recipe.tenacity:
                break
            else:
                failures += 1
        return best, *kept

    def _pass(self, x: torch.Tensor, y: torch.Tensor, order: torch.Tensor) -> None:
        for first in range(0, len(order), self.recipe.batch):
            places = order[first : first + self.recipe.batch]
            loss = torch.nn.functional.cross_entropy(self._logits(x[places]), y[places])
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()

    def _logits(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, self.weight, self.bias)

    def _score(self) -> float:
        with torch.no_grad():
            return float((self._logits(self.x[self.dev]).argmax(1) == self.y[self.dev]).sum()) / len(self.dev)

    def _parameters(self) -> tuple[Floats, Floats]:
        return self.weight.detach().numpy().copy(), self.bias.detach().numpy().copy()
