"""Evaluators together: one union of sentences, results in order, interrupted work not repeated, generators untouched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dalr_bench import Evaluation, Predictions, Score, Subject
from dalr_bench.evaluate.score import evaluate


class Lengths:
    """A subject that encodes a sentence as its length, and notes what was declared and encoded."""

    spaces: Mapping[str, Any] = {}
    protocol: Mapping[str, Any] = {}

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {"encode": 0.0}
        self.declared: list[str] = []
        self.prepared: list[str] = []

    def declare(self, sentences: Iterable[str]) -> None:
        self.declared += sentences

    def prepare(self) -> None:
        self.prepared = list(self.declared)
        self.seconds["encode"] += 1.5

    def encode(self, sentences: Sequence[str]) -> np.ndarray[Any, Any]:
        assert set(sentences) <= set(self.prepared)
        return np.array([[float(len(text))] for text in sentences])


class Sum:
    """Adds up lengths, and draws from NumPy's generator on the way."""

    def __init__(self, task: str, texts: Sequence[str]) -> None:
        self.task, self.texts, self.runs = task, texts, 0

    def sentences(self) -> Iterable[str]:
        return self.texts

    def evaluate(self, subject: Subject) -> Evaluation:
        self.runs += 1
        np.random.rand()
        rows = subject.encode(self.texts)
        kept = Predictions(self.task, rows[:, 0], rows[:, 0])
        return Evaluation([Score(self.task, "sum", float(rows.sum()), len(rows))], [kept], (f"{self.task}-absent",))


def test_everything_is_declared_before_anything_is_encoded() -> None:
    subject = Lengths()
    outcome = evaluate({"one": Sum("A", ["x", "yy"]), "two": Sum("B", ["zzz"])}, subject)
    assert subject.prepared == ["x", "yy", "zzz"]
    assert [(score.task, score.value) for score in outcome.scores] == [("A", 3.0), ("B", 3.0)]
    assert [item.task for item in outcome.predictions] == ["A", "B"]
    assert list(outcome.missing) == ["A-absent", "B-absent"]
    assert outcome.seconds["encode"] == 1.5
    assert set(outcome.seconds) == {"encode", "one", "two"}


def test_what_is_done_is_not_run_again_and_keeps_its_place() -> None:
    first, second = Sum("A", ["x"]), Sum("B", ["yy"])
    told: list[str] = []
    kept = Evaluation([Score("A", "sum", 42.0, 1)])
    subject = Lengths()
    outcome = evaluate({"one": first, "two": second}, subject, {"one": kept}, lambda name, result: told.append(name))
    assert [score.value for score in outcome.scores] == [42.0, 2.0]
    assert (first.runs, second.runs) == (0, 1)
    assert subject.declared == ["yy"]
    assert told == ["two"]


def test_generators_are_given_back() -> None:
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    evaluate({"one": Sum("A", ["x"])}, Lengths())
    assert np.random.rand() == expected


class Sums:
    """Two tasks, which can be asked one by one."""

    def __init__(self, *tasks: Sum) -> None:
        self.tasks = tasks

    def sentences(self) -> Iterable[str]:
        return [text for task in self.tasks for text in task.texts]

    def evaluate(self, subject: Subject) -> Evaluation:
        raise AssertionError("asked as a whole")

    def by_task(self) -> dict[str, Sum]:
        return {task.task: task for task in self.tasks}

    def joined(self, results: Sequence[Evaluation]) -> Evaluation:
        scores = [score for result in results for score in result.scores]
        total = Score("all", "sum", sum(score.value for score in scores), 2)
        return Evaluation([total, *scores], [item for result in results for item in result.predictions])


def test_tasks_of_one_evaluator_are_told_apart_and_done_once() -> None:
    tasks = (Sum("A", ["x"]), Sum("B", ["yy"]))
    told: dict[str, Evaluation] = {}
    outcome = evaluate({"sums": Sums(*tasks)}, Lengths(), finished=told.__setitem__)
    assert [(score.task, score.value) for score in outcome.scores] == [("all", 3.0), ("A", 1.0), ("B", 2.0)]
    assert list(told) == ["sums/A", "sums/B"]
    assert set(outcome.seconds) == {"encode", "sums"}
    subject = Lengths()
    again = evaluate({"sums": Sums(*tasks)}, subject, {"sums/A": told["sums/A"]})
    assert again.scores == outcome.scores
    assert ([task.runs for task in tasks], subject.declared) == ([1, 2], ["yy"])
