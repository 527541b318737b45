"""Worlds in which the true difference between two methods is known, and how often the tests are right in them.

A world has a gold value for each example and, for each method and seed, predictions that correlate with it. Three
noises are dialled apart: `seeds` (how good a seed's run turns out), `examples` (what a method gets wrong with every
seed) and the rest (what each run gets wrong by itself).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from dalr_bench.statistics.correlation import spearman
from dalr_bench.statistics.paired import difference
from dalr_bench.statistics.resample import accuracy_draws, spearman_draws

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """`quality` of each method is the mean of its runs' correlation with gold (accuracy: of a probit)."""

    metric: Literal["spearman", "accuracy"]
    quality: tuple[float, float]
    seeds: float
    examples: float
    size: int = 240
    pairs: int = 5

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
        """Predictions [2, S, N] and gold [N]."""
        skill = np.array(self.quality)[:, None] + self.seeds * rng.uniform(-1, 1, (2, self.pairs))
        shared = rng.normal(size=(2, 1, self.size))
        own = rng.normal(size=(2, self.pairs, self.size))
        noise = np.sqrt(self.examples) * shared + np.sqrt(1 - self.examples) * own
        if self.metric == "accuracy":
            return (noise < skill[..., None]).astype(int), np.ones(self.size, int)
        gold = rng.normal(size=self.size)
        return skill[..., None] * gold + np.sqrt(1 - skill[..., None] ** 2) * noise, gold

    @property
    def truth(self) -> float:
        """The difference between the methods over all seeds and examples, by a grid over the seeds' skill."""
        grid = np.linspace(-1, 1, 20_001)[:, None] * self.seeds + np.array(self.quality)
        scores = norm.cdf(grid) if self.metric == "accuracy" else 6 / np.pi * np.arcsin(grid / 2)
        ours, theirs = scores.mean(axis=0)
        return float(ours - theirs)


@dataclass(frozen=True)
class Rates:
    """Shares of worlds: an alarm at 5 %, the truth inside the interval, and inside the plain percentiles."""

    alarms: float
    covered: float
    percentile: float


def rates(world: World, worlds: int, draws: int, seed: int = 0) -> Rates:
    """How often the test is right. An alarm is p < .05: false where the truth is 0, power where it is not."""
    rng = np.random.default_rng(seed)
    alarms = covered = percentile = 0
    for _ in range(worlds):
        predicted, gold = world.draw(rng)
        flat = predicted.reshape(2 * world.pairs, world.size)
        if world.metric == "accuracy":
            seen, drawn = (flat == gold).mean(axis=1), accuracy_draws(flat, gold, draws, rng)
        else:
            seen, drawn = np.array([spearman(row, gold) for row in flat]), spearman_draws(flat, gold, draws, rng)
        n = world.pairs
        found = difference(seen[:n] - seen[n:], drawn[:, :n] - drawn[:, n:], rng)
        assert found.interval is not None
        assert found.bootstrap is not None
        assert found.p is not None
        alarms += found.p < 0.05
        covered += found.interval.low <= world.truth <= found.interval.high
        percentile += found.bootstrap.low <= world.truth <= found.bootstrap.high
    return Rates(alarms / worlds, covered / worlds, percentile / worlds)
