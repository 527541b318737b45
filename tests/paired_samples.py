"""Two methods with per-example predictions: what tests of comparisons share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dalr_bench.record.predictions import write_predictions
from dalr_bench.record.record import Record
from dalr_bench.record.results import write_summary
from dalr_bench.record.store import begin, finish
from dalr_bench.record.summary import Place, Summary
from dalr_bench.statistics.correlation import spearman
from dalr_bench.types import Predictions, Score

SEVEN = {"STS12": 310, "STS13": 150, "STS14": 375, "STS15": 300, "STS16": 118, "STS-B": 137, "SICK-R": 492}
SEEDS = 5


def write(folder: Path, sizes: Mapping[str, int] = SEVEN, noise: Sequence[float] = (1.5, 1.0)) -> Path:
    """Variants `plain` and `better` (less noise), five seeds, per-example predictions, an average and a probe."""
    rng = np.random.default_rng(0)
    golds = {task: np.round(rng.random(size) * 5, 1) for task, size in sizes.items()}
    labels = rng.integers(0, 2, 200)
    cells = []
    for variant, loud in zip(("plain", "better"), noise, strict=True):
        for seed in range(SEEDS):
            run = f"{variant}-{seed}"
            here = loud * rng.uniform(0.9, 1.1)
            kept = [Predictions(t, gold + here * rng.normal(size=len(gold)), gold) for t, gold in golds.items()]
            values = [spearman(each.predicted, each.gold) for each in kept]
            scores = [
                Score(each.task, "spearman", value, len(each.gold), "test", "all", "w")
                for each, value in zip(kept, values, strict=True)
            ]
            scores.append(Score("STS", "avg", float(np.mean(values)), 7, "test", "all", "w"))
            guess = np.where(rng.random(200) < 0.7 + 0.1 * (variant == "better"), labels, 1 - labels)
            kept.append(Predictions("MR", guess, labels))
            scores.append(Score("MR", "acc", float((guess == labels).mean()), 200, protocol="w"))
            begin(folder / run, {})
            for each in kept:
                write_predictions(folder / run, each)
            finish(folder / run, Record(run, "s", variant, seed, scores=scores))
            cells.append(Place(variant, seed, run))
    write_summary(folder, Summary("s", variants=("plain", "better"), cells=cells))
    return folder
