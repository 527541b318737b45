"""Evaluators in, scores out. The sentences of all of them are encoded in one pass; nothing outside is changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dalr_bench.evaluate.untouched import forked_rng
from dalr_bench.protocols import ByTask, Evaluator, Subject
from dalr_bench.types import Evaluation, Predictions, Score


class Declaring(Subject, Protocol):
    """A subject that can be told beforehand what will be asked (`OnePass`); `seconds` counts its own work by part."""

    @property
    def seconds(self) -> Mapping[str, float]: ...
    def declare(self, sentences: Iterable[str]) -> None: ...
    def prepare(self) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """All scores of one subject. `missing` names tasks that were asked for and whose data is absent."""

    scores: Sequence[Score] = ()
    predictions: Sequence[Predictions] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    missing: Sequence[str] = ()


@dataclass(frozen=True)
class Step:
    """What is scored at once: an evaluator, or one task of it."""

    evaluator: Evaluator
    timed_as: str


def steps(evaluators: Mapping[str, Evaluator]) -> dict[str, Step]:
    """By name, in order: `NAME`, or `NAME/TASK` for an evaluator that can be asked task by task (`ByTask`)."""
    found: dict[str, Step] = {}
    for name, evaluator in evaluators.items():
        timed_as = getattr(evaluator, "timed_as", name)
        if isinstance(evaluator, ByTask):
            found |= {f"{name}/{task}": Step(part, timed_as) for task, part in evaluator.by_task().items()}
        else:
            found[name] = Step(evaluator, timed_as)
    return found


def _joined(name: str, evaluator: Evaluator, results: Mapping[str, Evaluation]) -> Evaluation:
    if not isinstance(evaluator, ByTask):
        return results[name]
    return evaluator.joined([results[f"{name}/{task}"] for task in evaluator.by_task()])


def evaluate(
    evaluators: Mapping[str, Evaluator],
    subject: Declaring,
    done: Mapping[str, Evaluation] | None = None,
    finished: Callable[[str, Evaluation], Any] | None = None,
) -> Outcome:
    """Score `subject` with every evaluator, by name and in order.

    `done` holds what an earlier, interrupted call left, by the names of `steps` (those are not run again); `finished` is
    told each new result as it is there. `seconds` of an evaluator stand under its name, or the one in its `timed_as`,
    and exclude the encoding, which is counted once under the subject's own parts.
    """
    results = dict(done or {})
    waiting = {name: step for name, step in steps(evaluators).items() if name not in results}
    seconds: dict[str, float] = {}
    with forked_rng():
        for step in waiting.values():
            subject.declare(step.evaluator.sentences())
        subject.prepare()
        for name, step in waiting.items():
            before, start = sum(subject.seconds.values()), time.perf_counter()
            results[name] = step.evaluator.evaluate(subject)
            encoding = sum(subject.seconds.values()) - before
            seconds[step.timed_as] = seconds.get(step.timed_as, 0.0) + time.perf_counter() - start - encoding
            if finished is not None:
                finished(name, results[name])
    ordered = [_joined(name, evaluator, results) for name, evaluator in evaluators.items()]
    return Outcome(
        scores=[score for result in ordered for score in result.scores],
        predictions=[item for result in ordered for item in result.predictions],
        seconds={**subject.seconds, **seconds},
        missing=[task for result in ordered for task in result.missing],
    )
