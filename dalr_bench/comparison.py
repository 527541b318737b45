"""Two rows of a table against each other: which runs are pairs, what their predictions allow, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dalr_bench.errors import DataError, SuiteError, nearest
from dalr_bench.record.predictions import predictions_path, read_predictions
from dalr_bench.record.results import Results
from dalr_bench.statistics.correlation import spearman
from dalr_bench.statistics.holm import holm
from dalr_bench.statistics.paired import Difference, difference
from dalr_bench.statistics.resample import accuracy_draws, spearman_draws
from dalr_bench.statistics.seeds import Effect, SignFlips, effect, improvement, sign_flips
from dalr_bench.table import protocol
from dalr_bench.table.build import protocols_of
from dalr_bench.table.columns import Key, choose, key_of, read_order
from dalr_bench.table.found import Found, Line, find
from dalr_bench.table.model import Column, Significance
from dalr_bench.types import Predictions

Floats = NDArray[np.float64]
Pairs = Sequence[tuple[str, str]]
# Predictions that do not give the recorded score again belong to something else.
_SLACK = 1e-6
# SentEval prints accuracies in percent with two decimals, of each fold and of their mean, and folds differ by an example.
_ROUNDED = 1.5e-4
# A table or report makes many tests: their variances are known to 3 % from so many draws.
_DRAWS_OF_TABLES = 2_000


def _accuracy(predicted: NDArray[Any], gold: NDArray[Any]) -> float:
    return float(np.mean(predicted == gold))


METRICS: Mapping[str, tuple[Callable[..., float], Callable[..., Floats]]] = {
    "spearman": (spearman, spearman_draws),
    "accuracy": (_accuracy, accuracy_draws),
    "acc": (_accuracy, accuracy_draws),
}


def _slack(metric: str, size: int) -> float:
    """How far a recorded score may be from that of its predictions: of an accuracy, by less than half an example."""
    return _SLACK if metric == "spearman" else max(_ROUNDED, 0.5 / size)


@dataclass(frozen=True)
class Asked:
    """How to compare: `tasks` select columns as for a table; `resamples` draws of the examples from `seed`."""

    tasks: Sequence[str] = ()
    resamples: int = 10_000
    seed: int = 0
    mix_protocols: bool = False


@dataclass(frozen=True)
class Compared:
    """One task. Values are fractions; `pairs` of seeds and `examples` are what `difference` rests on, `why` says what
    kept it from resting on examples; `holm` is its p corrected for all tasks shown."""

    column: Column
    ours: float
    theirs: float
    difference: Difference
    pairs: int
    examples: int
    why: str
    flips: SignFlips
    effect: Effect | None
    improvement: float
    holm: float | None = None


@dataclass
class Predicted:
    """The predictions of the runs of one results folder, read once."""

    results: Results
    _read: dict[tuple[str, str], Predictions] = field(default_factory=dict)

    def rows(self, runs: Sequence[str], key: Key) -> tuple[NDArray[Any], NDArray[Any]]:
        """Predictions [M, N] and gold [N] that give these runs' recorded scores. Raises DataError saying why not."""
        task, metric, aggregation, _ = key
        if metric not in METRICS:
            raise DataError(f"{metric} is not resampled over examples")
        if aggregation not in (None, "all"):
            raise DataError(f"{metric} with aggregation {aggregation} is not resampled over examples")
        found = [self._of(run, task) for run in runs]
        gold = found[0].gold
        if any(not np.array_equal(each.gold, gold) for each in found):
            raise DataError("the runs were scored on different examples")
        for run, each in zip(runs, found, strict=True):
            if abs(METRICS[metric][0](each.predicted, gold) - self.scores(run)[key]) > _slack(metric, len(gold)):
                raise DataError(f"the predictions of {run} do not give its recorded score")
        return np.stack([each.predicted for each in found]), gold

    def scores(self, run: str) -> Mapping[Key, float]:
        """The recorded values of a run; of two of one key the first, as in a table."""
        found: dict[Key, float] = {}
        for score in self.results.records[run].scores:
            found.setdefault(key_of(score), score.value)
        return found

    def _of(self, run: str, task: str) -> Predictions:
        if (run, task) not in self._read:
            self._read[run, task] = self._subset(run, task)
        return self._read[run, task]

    def _subset(self, run: str, task: str) -> Predictions:
        """A task's predictions; those of `task/part` are rows of the task's."""
        folder, (whole, _, part) = self.results.folder / run, task.rpartition("/")
        try:
            return read_predictions(folder, task)
        except DataError:
            if not whole or not predictions_path(folder, whole).is_file():
                raise
        found = read_predictions(folder, whole)
        here = np.array([group == part for group in found.group or ()], bool)
        if not here.any():
            raise DataError(f"this run kept no predictions of {task}")
        return Predictions(task, found.predicted[here], found.gold[here])


@dataclass
class Judge:
    """Compares pairs of runs, one column at a time; the same pairs, draws and seed give the same answer."""

    predicted: Predicted
    resamples: int = 10_000
    seed: int = 0
    _last: tuple[tuple[str, str], ...] = ()
    _kept: dict[Key, tuple[Floats, int]] = field(default_factory=dict)

    @cached_property
    def _blocks(self) -> Mapping[str, Sequence[str]]:
        """Task of an average → the tasks of its block."""
        block_of = {task: block for task, (_, block, _) in read_order().known.items()}
        return {task: [other for other in block_of if block_of[other] == block] for task, block in block_of.items()}

    def compare(self, pairs: Pairs, column: Column) -> Compared:
        """Ours against theirs over these pairs of runs, which all have a score in the column."""
        key = column.key
        values = [(self.predicted.scores(ours)[key], self.predicted.scores(theirs)[key]) for ours, theirs in pairs]
        ours, theirs = np.array(values).T
        drawn, examples, why = self._drawn(pairs, key)
        rng = np.random.default_rng([self.seed, 1])
        return Compared(
            column=column,
            ours=float(ours.mean()),
            theirs=float(theirs.mean()),
            difference=difference(ours - theirs, drawn, rng),
            pairs=len(pairs),
            examples=examples,
            why=why,
            flips=sign_flips(ours - theirs, seed=self.seed),
            effect=effect(ours - theirs),
            improvement=improvement(theirs, ours) if column.lower_is_better else improvement(ours, theirs),
        )

    def _drawn(self, pairs: Pairs, key: Key) -> tuple[Floats | None, int, str]:
        """Differences of the pairs on draws of the examples, [R, S], and how many examples, or why there are none."""
        try:
            if key[1] != "avg":
                return (*self._of_task(pairs, key), "")
            found = [self._of_task(pairs, member) for member in self._members(pairs, key)]
        except DataError as error:
            return None, 0, error.faults[0].what
        return np.mean([drawn for drawn, _ in found], axis=0), sum(size for _, size in found), ""

    def _of_task(self, pairs: Pairs, key: Key) -> tuple[Floats, int]:
        """An average asks for what its tasks asked for already, so the last pairs' draws are kept."""
        if self._last != tuple(pairs):
            self._last, self._kept = tuple(pairs), {}
        if key not in self._kept:
            self._kept[key] = self._draw(pairs, key)
        return self._kept[key]

    def _draw(self, pairs: Pairs, key: Key) -> tuple[Floats, int]:
        runs = list(dict.fromkeys(run for pair in pairs for run in pair))
        predicted, gold = self.predicted.rows(runs, key)
        # Tasks are drawn apart: the name is part of the seed.
        rng = np.random.default_rng([self.seed, *"/".join(map(str, key)).encode()])
        drawn = METRICS[key[1]][1](predicted, gold, self.resamples, rng)
        ours, theirs = ([runs.index(pair[side]) for pair in pairs] for side in (0, 1))
        return drawn[:, ours] - drawn[:, theirs], len(gold)

    def _members(self, pairs: Pairs, key: Key) -> list[Key]:
        """The scores an average is made of: believed where their mean is the recorded one in every run."""
        tasks = self._blocks.get(key[0], ())
        first = self.predicted.scores(pairs[0][0])
        members = [each for each in first if each[0] in tasks and each[1] in METRICS and each[3] == key[3]]
        for run in (run for pair in pairs for run in pair):
            values = self.predicted.scores(run)
            parts = [values[each] for each in members if each in values]
            if not parts or len(parts) != len(members) or abs(np.mean(parts) - values[key]) > _SLACK:
                raise DataError("what this average is made of is not recorded")
        return members


def significance(results: Results, level: float) -> Significance:
    """For a table: p of a difference in a column, by predictions where there are any; None where it cannot be told."""
    judge = Judge(Predicted(results), _DRAWS_OF_TABLES)

    def p(pairs: Pairs, column: Column) -> float | None:
        return None if column.unit == "cost" else judge.compare(pairs, column).difference.p

    return Significance(level, p)


def effects(results: Results) -> Callable[[Pairs, Column], Difference]:
    """For a report: the difference of pairs of runs in a column, by predictions where there are any."""
    judge = Judge(Predicted(results), _DRAWS_OF_TABLES)
    return lambda pairs, column: judge.compare(pairs, column).difference


def compare(results: Results, ours: str, theirs: str, asked: Asked) -> tuple[str, str, list[Compared]]:
    """Row `ours` against row `theirs`, a task at a time, paired by seed, p corrected by Holm over what is shown.

    With the full names of both rows. Raises SuiteError: unknown row, no seed in common, unknown task, or protocols
    that differ.
    """
    lines, found = find(results.summary, results.records)
    a, b = rows_named(ours, theirs, lines)
    shared = [
        (run, b.runs[seed])
        for seed, run in a.runs.items()
        if seed in b.runs and run in found.scores and b.runs[seed] in found.scores
    ]
    pairs = list(dict.fromkeys(shared))
    if not pairs:
        raise SuiteError(f"'{ours}' and '{theirs}' have no seed that is done in both rows")
    if all(run == other for run, other in pairs):
        raise SuiteError(f"'{ours}' and '{theirs}' are the same runs")
    keys = dict.fromkeys(key for run, other in pairs for key in found.scores[run] if key in found.scores[other])
    columns = choose(keys, asked.tasks, read_order())
    _check_protocols(columns, (a, b), found, asked.mix_protocols)
    judge = Judge(Predicted(results), asked.resamples, asked.seed)
    out = [judge.compare(_with(column, pairs, found), column) for column in columns]
    corrected = holm([line.difference.p for line in out])
    return _name(a, lines), _name(b, lines), [replace(line, holm=p) for line, p in zip(out, corrected, strict=True)]


def _name(line: Line, lines: Sequence[Line]) -> str:
    """The variant alone where its rows are all the same runs."""
    return line.variant if all(line.runs == each.runs for each in lines if each.variant == line.variant) else line.name


def _with(column: Column, pairs: Pairs, found: Found) -> Pairs:
    return [pair for pair in pairs if all(column.key in found.scores[run] for run in pair)]


def _check_protocols(columns: Sequence[Column], lines: Sequence[Line], found: Found, mix: bool) -> None:
    protocol.check(columns, protocols_of(lines, columns, found), mix)


def rows_named(ours: str, theirs: str, lines: Sequence[Line]) -> tuple[Line, Line]:
    """The rows two texts name. One that says no axes stands where the other does, if it can."""
    mine, other = _named(ours, lines), _named(theirs, lines)
    for a in mine:
        same = [b for b in other if b.axes == a.axes] or [b for b in other if b.axes == ()]
        if len(mine) == 1 and same:
            return a, same[0]
    for b in other:
        same = [a for a in mine if a.axes == b.axes] or [a for a in mine if a.axes == ()]
        if len(other) == 1 and same:
            return same[0], b
    return _only(ours, mine), _only(theirs, other)


def _only(text: str, lines: Sequence[Line]) -> Line:
    """The row that is meant; rows of equal runs are one."""
    if len({tuple(line.runs.items()) for line in lines}) > 1:
        choices = ", ".join(line.name for line in lines)
        raise SuiteError(f"'{text}' is several rows; name one of: {choices}")
    return lines[0]


def _named(text: str, lines: Sequence[Line]) -> list[Line]:
    """Rows of that variant (`DALR`), or those at a point of the grid (`DALR@teacher=image-text`)."""
    found = [line for line in lines if text in (line.variant, line.name)]
    if not found and "@" in text:
        variant, _, point = text.rpartition("@")
        wanted = [tuple(part.strip().partition("=")[::2]) for part in point.split(",")]
        found = [line for line in lines if line.variant == variant and all(pair in line.axes for pair in wanted)]
    if not found:
        names = [line.variant for line in lines] + [line.name for line in lines if line.axes and "@" in text]
        raise SuiteError(f"no row is called '{text}'. {nearest(text, names)}")
    return found
