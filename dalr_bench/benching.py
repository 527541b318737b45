"""Two ways to the same scores, timed in one process in turn: what the `bench` commands of evaluation print.

An evaluator takes part by its class attribute `bench`, the name of its benchmark. With `bench_against`, options of its
own, the sides are the evaluator with and without those, on rows encoded once; otherwise they are one encoding of every
sentence against set by set in padded batches, in the order of the evaluator's `plain()` where it has one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from statistics import median
from typing import Any

from dalr_bench.errors import SuiteError, nearest
from dalr_bench.evaluate.encoder import EncodeOptions, OnePass
from dalr_bench.evaluate.padded import Padded
from dalr_bench.evaluate.score import evaluate
from dalr_bench.plugin.registry import Catalogue, Component
from dalr_bench.scoring import Asked, build_evaluators, open_subject
from dalr_bench.types import Score


@dataclass(frozen=True)
class Bench:
    """CPU seconds of both sides by round, and the largest difference of any score they both have (a fraction)."""

    name: str
    ours: Sequence[float]
    other: Sequence[float]
    other_side: str
    difference: float
    scores: int

    @property
    def ratio(self) -> float:
        """Median over rounds of the other side's time over ours."""
        return median(other / max(ours, 1e-9) for ours, other in zip(self.ours, self.other, strict=True))


def bench(name: str, asked: Asked, catalogue: Catalogue, rounds: int = 1, whole: bool = False) -> Bench:
    """Run the benchmark called `name`; `whole` lets the other side encode all that the plain way encodes, not only what
    is scored. Raises SuiteError where no evaluator has one of that name.
    """
    found = _find(name, catalogue)
    asked = replace(asked, evaluators=[found.name])
    against = getattr(found.factory, "bench_against", None)
    ours, other = _encoders(asked, catalogue, whole) if against is None else _solvers(asked, catalogue, found, against)
    for library in ("scipy.stats", "sklearn.model_selection"):
        import_module(library)  # loaded by whichever side comes first, which should not pay for it
    times: tuple[list[float], list[float]] = ([], [])
    results: list[Sequence[Score]] = []
    for _ in range(rounds):
        for side, into in zip((ours, other), times, strict=True):
            start = time.process_time()
            results.append(side())
            into.append(time.process_time() - start)
    difference, count = _compare(results[0], results[1])
    label = "set by set, padded" if against is None else ", ".join(f"{key} {value}" for key, value in against.items())
    return Bench(name, *times, label, difference, count)


Side = Callable[[], Sequence[Score]]


def _find(name: str, catalogue: Catalogue) -> Component:
    known = {getattr(item.factory, "bench", None): item for item in catalogue if item.kind == "evaluator"}
    if name not in known:
        raise SuiteError(f"no evaluator has a benchmark '{name}'. {nearest(name, [key for key in known if key])}")
    return known[name]


def _encoders(asked: Asked, catalogue: Catalogue, whole: bool) -> tuple[Side, Side]:
    """Each round opens its own memory: nothing encoded or tokenised by an earlier one is seen."""
    evaluators = build_evaluators(asked, catalogue)
    plain = {name: item.plain(whole) if hasattr(item, "plain") else item for name, item in evaluators.items()}
    opened = open_subject(asked, catalogue)
    device = str(opened.protocol["device"])
    options = EncodeOptions(asked.precision)
    opened.encode(["a sentence", "and a longer one to warm up"])
    return (
        lambda: evaluate(evaluators, OnePass(opened.backbone, device, options)).scores,
        lambda: evaluate(plain, Padded(opened.backbone, device)).scores,
    )


def _solvers(asked: Asked, catalogue: Catalogue, found: Component, against: Any) -> tuple[Side, Side]:
    other = replace(asked, options={found.name: {**asked.options.get(found.name, {}), **against}})
    sides = [build_evaluators(item, catalogue) for item in (asked, other)]
    subject = open_subject(asked, catalogue)
    for evaluator in sides[0].values():
        subject.declare(evaluator.sentences())
    subject.prepare()
    first, second = (lambda side=side: evaluate(side, subject).scores for side in sides)
    return first, second


def _compare(ours: Sequence[Score], other: Sequence[Score]) -> tuple[float, int]:
    theirs = {(score.task, score.metric, score.split): score.value for score in other}
    gaps = [abs(score.value - theirs[score.task, score.metric, score.split]) for score in ours]
    return max(gaps, default=0.0), len(gaps)
