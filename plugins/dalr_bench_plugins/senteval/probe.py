"""The three protocols of SentEval's classifiers: nested cross-validation, cross-validation with a test set, three
splits.

Source: princeton-nlp/SimCSE@49fa580:SentEval/senteval/tools/validation.py (InnerKFoldClassifier, KFoldClassifier,
SplitClassifier). Percentages are rounded to two decimals where the toolkit rounds them: the choice of a penalty and the
printed mean both depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dalr_bench_plugins.senteval.recipe import Examples, Fit, Floats, Recipe, Rows, Solution, hold_out

Solver = Callable[[Examples, Sequence[Fit], Recipe], list[Solution]]


@dataclass(frozen=True)
class Probed:
    """Test accuracy and dev (or cross-validation) accuracy as fractions of rounded percentages, and each test guess."""

    acc: float
    devacc: float
    predicted: Rows
    gold: Rows


def solver(name: str) -> Solver:
    """`exact`: the compiled kernel, or torch where nothing can be compiled; `batched`: shared minibatches;
    `serial`: one after another."""
    from dalr_bench_plugins.senteval import native, portable, serial, shared

    if name == "serial":
        return serial.solve
    exact = native.solve if native.library() is not None else portable.solve
    return shared.Shared(exact) if name == "batched" else exact


def probe(splits: Mapping[str, Examples], recipe: Recipe, solve: Solver) -> Probed:
    """The protocol that the splits of a task ask for."""
    if "dev" in splits:
        return three_splits(splits["train"], splits["dev"], splits["test"], recipe, solve)
    if "test" in splits:
        return crossed(splits["train"], splits["test"], recipe, solve)
    return nested(splits["train"], recipe, solve)


def nested(data: Examples, recipe: Recipe, solve: Solver) -> Probed:
    """MR, CR, SUBJ, MPQA: in every outer fold, cross-validation picks the penalty, and a final fit is tested."""
    outer = list(_folds(data.label_N, recipe))
    inner = [
        Fit(train[a], train[b], recipe.penalties) for train, _ in outer for a, b in _folds(data.label_N[train], recipe)
    ]
    searched = solve(data, inner, recipe)
    choices = [_choose(searched[i : i + recipe.folds], recipe) for i in range(0, len(searched), recipe.folds)]
    finals = solve(
        data, [_final(train, best, recipe) for (train, _), (_, best) in zip(outer, choices, strict=True)], recipe
    )
    predicted = np.empty_like(data.label_N)
    percents: list[float] = []
    for (_, test), final in zip(outer, finals, strict=True):
        predicted[test] = guess(data.rows_ND[test], final)
        percents.append(_percent(predicted[test], data.label_N[test]))
    dev = round(float(np.mean([percent for percent, _ in choices])), 2)
    return Probed(round(float(np.mean(percents)), 2) / 100, dev / 100, predicted, data.label_N)


def crossed(data: Examples, test: Examples, recipe: Recipe, solve: Solver) -> Probed:
    """TREC, MRPC: cross-validation on the training set picks the penalty; a final fit is tested on the test set."""
    fits = [Fit(train, dev, recipe.penalties) for train, dev in _folds(data.label_N, recipe)]
    dev, best = _choose(solve(data, fits, recipe), recipe)
    everything = np.arange(len(data.label_N), dtype=np.int32)
    (final,) = solve(data, [_final(everything, best, recipe)], recipe)
    predicted = guess(test.rows_ND, final)
    return Probed(_percent(predicted, test.label_N) / 100, dev / 100, predicted, test.label_N)


def three_splits(data: Examples, dev: Examples, test: Examples, recipe: Recipe, solve: Solver) -> Probed:
    """SST, SICK-E, probing: dev accuracy picks the penalty and stops the fit.

    The toolkit fits the chosen penalty a second time, from the same seed on the same rows: that fit is the one at hand.
    """
    size = len(data.label_N)
    both = Examples(np.concatenate([data.rows_ND, dev.rows_ND]), np.concatenate([data.label_N, dev.label_N]))
    places = np.arange(len(both.label_N), dtype=np.int32)
    (found,) = solve(both, [Fit(places[:size], places[size:], recipe.penalties)], recipe)
    percents = [round(100 * float(value), 2) for value in found.accuracy]
    k = int(np.argmax(percents))
    chosen = Solution(found.accuracy[k : k + 1], found.weight_KCD[k : k + 1], found.bias_KC[k : k + 1])
    predicted = guess(test.rows_ND, chosen)
    return Probed(_percent(predicted, test.label_N) / 100, percents[k] / 100, predicted, test.label_N)


def guess(rows_ND: Floats, solution: Solution) -> Rows:
    """The most likely class of each row; the first of equals."""
    logits: NDArray[Any] = rows_ND @ solution.weight_KCD[0].T + solution.bias_KC[0]
    classes: Rows = logits.argmax(1).astype(np.int32)
    return classes


def _folds(label_N: Rows, recipe: Recipe) -> Iterator[tuple[Rows, Rows]]:
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(recipe.folds, shuffle=True, random_state=recipe.seed)
    for train, held in folds.split(np.zeros(len(label_N)), label_N):
        yield train.astype(np.int32), held.astype(np.int32)


def _choose(folds: Sequence[Solution], recipe: Recipe) -> tuple[float, float]:
    """(mean percent, penalty) of the best penalty; the smallest of equals."""
    means = [round(100 * float(np.mean([fold.accuracy[k] for fold in folds])), 2) for k in range(len(recipe.penalties))]
    return max(means), recipe.penalties[int(np.argmax(means))]


def _final(rows: Rows, penalty: float, recipe: Recipe) -> Fit:
    train, dev = hold_out(len(rows), recipe)
    return Fit(rows[train], rows[dev], (penalty,), drawn=len(rows))


def _percent(predicted: Rows, gold: Rows) -> float:
    return round(100 * int((predicted == gold).sum()) / len(gold), 2)
