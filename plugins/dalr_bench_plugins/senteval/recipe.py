"""What one classifier fit of the protocol is: its settings, its rows, its start and the order of its minibatches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

Rows = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Recipe:
    """Settings of the toolkit's classifier (a linear layer, mean cross entropy, L2 in the gradient, bias included).

    An epoch check comes after `epoch_size` passes; a fit stops when the dev accuracy failed to improve more than
    `tenacity` times in all, or past `max_epoch` passes. Source: princeton-nlp/SimCSE@49fa580:evaluation.py:68-77 and
    SentEval/senteval/tools/classifier.py.
    """

    optimiser: Literal["adam", "rmsprop"]
    batch: int
    tenacity: int
    epoch_size: int
    folds: int
    max_epoch: int = 200
    seed: int = 1111
    held_out: float = 0.05
    penalties: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2)

    @property
    def lr(self) -> float:
        """torch's own defaults, which the toolkit never changes."""
        return 1e-3 if self.optimiser == "adam" else 1e-2

    @property
    def passes(self) -> int:
        """Most passes a fit can make: checks start at pass 0, epoch_size, ... up to and including max_epoch."""
        return (self.max_epoch // self.epoch_size + 1) * self.epoch_size


MODES = {"test": Recipe("adam", 64, 5, 4, 10), "fast": Recipe("rmsprop", 128, 3, 2, 5)}


@dataclass(frozen=True)
class Fit:
    """Fits that share their rows, one a penalty. `drawn`: a permutation of so many rows was drawn before training
    began.
    """

    train: Rows
    dev: Rows
    penalties: Sequence[float]
    drawn: int | None = None


@dataclass(frozen=True)
class Solution:
    """Best dev accuracy of each penalty [K], and the weights [K, C, D] and biases [K, C] that reached it."""

    accuracy: NDArray[np.float64]
    weight_KCD: Floats
    bias_KC: Floats


@dataclass(frozen=True)
class Examples:
    """Rows and their classes, 0 to `classes` - 1."""

    rows_ND: Floats
    label_N: Rows

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.label_N.max()) + 1


def start(width: int, classes: int, seed: int) -> tuple[Floats, Floats]:
    """Weights [C, D] and bias [C] every fit starts from: torch's own of a linear layer at this seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        layer = torch.nn.Linear(width, classes)
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


def orders(count: int, drawn: int | None, recipe: Recipe) -> Rows:
    """Permutations of `count` rows, one a pass, [passes, count]: the same for every fit of one size, since each is
    seeded.
    """
    generator = np.random.RandomState(recipe.seed)
    if drawn is not None:
        generator.permutation(drawn)
    out = np.empty((recipe.passes, count), np.int32)
    for row in out:
        row[:] = generator.permutation(count)
    return out


def hold_out(count: int, recipe: Recipe) -> tuple[Rows, Rows]:
    """(train, dev) positions of a final fit, which keeps 5 % of its rows for early stopping."""
    shuffled = np.random.RandomState(recipe.seed).permutation(count).astype(np.int32)
    size = int(recipe.held_out * count)
    return shuffled[size:], shuffled[:size]
