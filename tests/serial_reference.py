"""SentEval's classifier protocol written out plainly, one fit after another: what the fast solvers are held against.

Independent of the project's solvers: torch's own layer, loss and optimiser, NumPy's and torch's global generators
seeded before every fit, the toolkit's loops. Checked against the official toolkit's numbers in the golden file.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold

Array = np.ndarray[Any, Any]
PENALTIES = [10**power for power in range(-5, -1)]
SETTINGS = {
    "test": {"kfold": 10, "optim": "adam", "batch": 64, "tenacity": 5, "epoch_size": 4},
    "fast": {"kfold": 5, "optim": "rmsprop", "batch": 128, "tenacity": 3, "epoch_size": 2},
}
SEED, MOST = 1111, 200


class Classifier:
    """A linear layer with early stopping on dev accuracy."""

    def __init__(self, width: int, classes: int, penalty: float, settings: dict[str, Any]) -> None:
        np.random.seed(SEED)
        torch.manual_seed(SEED)
        self.settings, self.layer = settings, torch.nn.Linear(width, classes)
        kind = torch.optim.Adam if settings["optim"] == "adam" else torch.optim.RMSprop
        self.optimiser = kind(self.layer.parameters(), weight_decay=penalty)

    def fit(self, x: Array, y: Array, held: tuple[Array, Array] | None = None) -> float:
        """Best dev accuracy; the layer is then the one that reached it. Without `held` 5 % of the rows are held out."""
        if held is None:
            order = np.random.permutation(len(x))
            size = int(0.05 * len(x))
            held = x[order[:size]], y[order[:size]]
            x, y = x[order[size:]], y[order[size:]]
        rows, labels = torch.from_numpy(x), torch.from_numpy(y)
        best, kept, failures, passes, stopped = -1.0, self.layer, 0, 0, False
        while not stopped and passes <= MOST:
            for _ in range(self.settings["epoch_size"]):
                self.one_pass(rows, labels)
                passes += 1
            accuracy = self.score(*held)
            if accuracy > best:
                best, kept = accuracy, copy.deepcopy(self.layer)
            else:
                stopped = failures >= self.settings["tenacity"]
                failures += 1
        self.layer = kept
        return best

    def one_pass(self, x: torch.Tensor, y: torch.Tensor) -> None:
        order = np.random.permutation(len(x))
        for first in range(0, len(x), self.settings["batch"]):
            places = torch.from_numpy(order[first : first + self.settings["batch"]])
            loss = torch.nn.functional.cross_entropy(self.layer(x[places]), y[places])
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()

    def predict(self, x: Array) -> Array:
        with torch.no_grad():
            return self.layer(torch.from_numpy(x)).argmax(1).numpy()

    def score(self, x: Array, y: Array) -> float:
        return float((self.predict(x) == y).sum()) / len(y)


def folds(x: Array, y: Array, count: int) -> list[tuple[Array, Array]]:
    return list(StratifiedKFold(count, shuffle=True, random_state=SEED).split(x, y))


def nested(x: Array, y: Array, mode: str, outer: int | None = None) -> tuple[float, float]:
    """(acc, devacc) in percent. `outer`: only so many of the outer folds (for timing)."""
    settings, classes = SETTINGS[mode], int(y.max()) + 1
    dev, test = [], []
    for train, held in folds(x, y, settings["kfold"])[:outer]:
        best, penalty = search(x[train], y[train], settings, classes)
        dev.append(best)
        final = Classifier(x.shape[1], classes, penalty, settings)
        final.fit(x[train], y[train])
        test.append(round(100 * final.score(x[held], y[held]), 2))
    return round(float(np.mean(test)), 2), round(float(np.mean(dev)), 2)


def search(x: Array, y: Array, settings: dict[str, Any], classes: int) -> tuple[float, float]:
    means = []
    for penalty in PENALTIES:
        scores = []
        for train, held in folds(x, y, settings["kfold"]):
            classifier = Classifier(x.shape[1], classes, penalty, settings)
            scores.append(classifier.fit(x[train], y[train], (x[held], y[held])))
        means.append(round(100 * float(np.mean(scores)), 2))
    return max(means), PENALTIES[int(np.argmax(means))]


def crossed(x: Array, y: Array, test: tuple[Array, Array], mode: str) -> tuple[float, float, Array]:
    """(acc, devacc) in percent, and the guesses on the test set."""
    settings, classes = SETTINGS[mode], int(y.max()) + 1
    dev, penalty = search(x, y, settings, classes)
    final = Classifier(x.shape[1], classes, penalty, settings)
    final.fit(x, y)
    return round(100 * final.score(*test), 2), dev, final.predict(test[0])


def three_splits(
    train: tuple[Array, Array], dev: tuple[Array, Array], test: tuple[Array, Array], mode: str
) -> tuple[float, float]:
    """(acc, devacc) in percent."""
    settings, classes, width = SETTINGS[mode], int(train[1].max()) + 1, train[0].shape[1]
    scores = []
    for penalty in PENALTIES:
        classifier = Classifier(width, classes, penalty, settings)
        scores.append(round(100 * classifier.fit(*train, dev), 2))
    final = Classifier(width, classes, PENALTIES[int(np.argmax(scores))], settings)
    final.fit(*train, dev)
    return round(100 * final.score(*test), 2), max(scores)
