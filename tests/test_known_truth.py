"""How often the paired test is right where the truth is known. docs/statistics.md holds the figures of the long one."""

from __future__ import annotations

import numpy as np
import pytest
from known_truth import World, rates

from dalr_bench.statistics import resample

NULL = {"spearman": (0.7, 0.7), "accuracy": (0.8, 0.8)}
APART = {"spearman": (0.75, 0.6), "accuracy": (0.9, 0.5)}
NOISE = {"runs only": (0.0, 0.0), "seeds": (0.2, 0.0), "examples": (0.0, 0.9), "both": (0.1, 0.5)}


@pytest.mark.parametrize("metric", ["spearman", "accuracy"])
def test_the_truth_is_the_truth(metric: str) -> None:
    """The closed form against half a million examples."""
    world = World(metric, APART[metric], 0.1, 0.5, size=2_000, pairs=5)  # type: ignore[arg-type]
    rng, seen = np.random.default_rng(0), []
    for _ in range(50):
        predicted, gold = world.draw(rng)
        ranks = np.argsort(np.argsort(gold))
        scores = [
            (row == gold).mean() if metric == "accuracy" else np.corrcoef(np.argsort(np.argsort(row)), ranks)[0, 1]
            for row in predicted.reshape(-1, world.size)
        ]
        seen.append(np.mean(scores[:5]) - np.mean(scores[5:]))
    assert np.mean(seen) == pytest.approx(world.truth, abs=4 * np.std(seen) / np.sqrt(50))
    assert World(metric, NULL[metric], 0.1, 0.5).truth == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", ["spearman", "accuracy"])
def test_in_short(metric: str) -> None:
    """Enough worlds to see a test that is wrong, not to tell 4 % from 6 %."""
    found = rates(World(metric, NULL[metric], 0.1, 0.5, size=501), 300, 100)  # type: ignore[arg-type]
    assert 0.012 <= found.alarms <= 0.088
    assert found.covered == 1 - found.alarms


@pytest.mark.slow
@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("metric", ["spearman", "accuracy"])
def test_at_length(metric: str, noise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """5,000 worlds each: rates are known to ±0.6 % (two standard errors).

    Spearman by its first order, on sets smaller than those it is used for.
    """
    monkeypatch.setattr(resample, "EXACT_UP_TO", 0)
    null, apart = (
        rates(World(metric, quality[metric], *NOISE[noise]), 5_000, 200, seed=1)  # type: ignore[arg-type]
        for quality in (NULL, APART)
    )
    print(f"{metric}, {noise}: alarms {null.alarms}, covered {apart.covered}, percentile {apart.percentile}")
    assert 0.04 <= null.alarms <= 0.06
    assert 0.93 <= apart.covered <= 0.97
