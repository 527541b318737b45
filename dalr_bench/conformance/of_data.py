"""What a source and an evaluator promise."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from dalr_bench.conformance.bench import Bench, Check
from dalr_bench.conformance.probes import random_states_kept
from dalr_bench.conformance.stand_ins import Student, quiet_copy
from dalr_bench.types import Corpus, Evaluation, Score


def corpus(bench: Bench) -> None:
    """Texts, and lengths that fit."""
    found = _load(bench)
    n = len(found.sentences)
    bench.need(n > 0, "it has no sentence")
    texts = all(isinstance(found.sentences[row], str) for row in range(min(n, 1000)))
    bench.need(texts, "its sentences are not all texts")
    bench.need(isinstance(found.fingerprint, str) and bool(found.fingerprint), "it has no fingerprint")
    for name, column in found.columns.items():
        bench.need(len(column) == n, f"column '{name}' has {len(column)} rows, there are {n} sentences")
    if found.image_of is not None:
        _pictures(bench, found, n)


def _pictures(bench: Bench, found: Corpus, n: int) -> None:
    numbers = list(found.image_of or ())
    bench.need(len(numbers) == n, f"image_of has {len(numbers)} rows, there are {n} sentences")
    bench.need(min(numbers) >= 0, "image_of holds a negative number")
    if found.images is not None:
        bench.need(max(numbers) < len(found.images), f"image_of names picture {max(numbers)} of {len(found.images)}")
        bench.note = "images[0]"
        size = getattr(found.images[0], "size", None)
        bench.need(isinstance(size, tuple) and len(size) == 2, "images[0] is no PIL picture")


def loads_again(bench: Bench) -> None:
    """Two objects, two loads: equal content under an equal fingerprint, random states as before."""
    first = _load(bench)
    again = bench.build(seed=99)
    with random_states_kept():
        second = again.load()
    bench.note = "load() of a second one"
    bench.need(list(first.sentences) == list(second.sentences), "loaded again, its sentences differ")
    same = first.fingerprint == second.fingerprint
    bench.need(same, f"loaded again, its fingerprint is another one: {first.fingerprint}, {second.fingerprint}")
    bench.need(list(first.image_of or ()) == list(second.image_of or ()), "loaded again, its picture numbers differ")
    if first.images is not None and second.images is not None:
        one, other = np.asarray(first.images[0]), np.asarray(second.images[0])
        bench.need(np.array_equal(one, other), "loaded again, its first picture differs")


def source_cost(bench: Bench) -> None:
    """CPU time of a load, told and not judged."""
    other = bench.build()
    started = time.process_time()
    n = len(other.load().sentences)
    bench.facts["cost"] = f"{1000 * (time.process_time() - started):.1f} ms of CPU for {n} sentences"


def _load(bench: Bench) -> Corpus:
    source = bench.one()
    bench.note = f"load() with options {dict(bench.options)}"
    found: Corpus = source.load()
    bench.need(isinstance(found, Corpus), f"load() gave {type(found).__name__}, expected Corpus")
    return found


def declared(bench: Bench) -> None:
    """Nothing is encoded that was not named."""
    named = set(bench.one().sentences())
    bench.note = "a stand-in student"
    strange = [item for item in named if not isinstance(item, str)]
    bench.need(not strange, f"sentences() gives {strange[:1]}, expected texts")
    student = Student()
    _scored(bench, student)
    extra = sorted(student.asked - named)
    bench.need(not extra, f"it encoded {len(extra)} sentences it had not named, {extra[:1]} among them")


def scores(bench: Bench) -> None:
    """Each a number with all that makes it readable."""
    found = _scored(bench, Student())
    bench.need(bool(found.scores) or bool(found.missing), "it gave no score and named no missing task")
    for score in found.scores:
        bench.need(isinstance(score, Score), f"{score!r} is no Score")
        name = f"{score.task}.{score.metric}"
        bench.need(math.isfinite(score.value), f"{name} is {score.value}")
        bench.need(score.n > 0, f"{name} rests on {score.n} examples")
        bench.need(bool(score.protocol), f"{name} names no protocol")
    for kept in found.predictions:
        bench.need(
            len(kept.predicted) == len(kept.gold),
            f"{kept.task}: {len(kept.predicted)} predictions, {len(kept.gold)} gold",
        )


def scores_again(bench: Bench) -> None:
    """A second student like the first has its scores."""
    first = _scored(bench, Student())
    with random_states_kept():
        again = _scored(bench, Student())
    pair = [[(score.task, score.metric, score.value) for score in found.scores] for found in (first, again)]
    different = [f"{one}, then {other}" for one, other in zip(*pair, strict=True) if one != other]
    bench.need(not different, f"scored twice, a student has other scores: {different[:1]}")


def looks(bench: Bench) -> None:
    """The student's facts and rows are what they were."""
    student = Student()
    before = quiet_copy(student)
    _scored(bench, student)
    bench.need(student.protocol == before["protocol"], "it changed the student's protocol")
    bench.need(set(student.spaces) == set(before["spaces"]), "it changed the student's spaces")
    bench.need(all(np.array_equal(rows, kept) for rows, kept in student.given), "it changed rows it was given in place")


def evaluator_cost(bench: Bench) -> None:
    """CPU time of one evaluation, told and not judged."""
    started = time.process_time()
    _scored(bench, Student())
    bench.facts["cost"] = f"{time.process_time() - started:.2f} s of CPU an evaluation"


def _scored(bench: Bench, student: Any) -> Evaluation:
    evaluator = bench.one()
    list(evaluator.sentences())
    bench.note = "a stand-in student of 16 columns"
    found: Evaluation = evaluator.evaluate(student)
    bench.need(isinstance(found, Evaluation), f"evaluate() gave {type(found).__name__}, expected Evaluation")
    return found


SOURCES: Sequence[tuple[str, Check]] = (
    ("source.corpus", corpus),
    ("source.repeats", loads_again),
    ("cost", source_cost),
)
EVALUATORS: Sequence[tuple[str, Check]] = (
    ("evaluator.scores", scores),
    ("evaluator.declared", declared),
    ("evaluator.repeats", scores_again),
    ("evaluator.looks", looks),
    ("cost", evaluator_cost),
)
