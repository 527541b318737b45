"""How well vectors order pairs and carry labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def cosines(left_ND: NDArray[Any], right_ND: NDArray[Any]) -> Floats:
    """Cosine of row pairs, [n]; 0 where a row is zero."""
    left, right = left_ND.astype(np.float64), right_ND.astype(np.float64)
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    dots = np.einsum("nd,nd->n", left, right)
    # Rounded, so that equal cosines stay ties whatever order a machine sums in.
    values: Floats = np.round(np.divide(dots, norms, out=np.zeros_like(dots), where=norms > 0), 12)
    return values


def spearman(predicted: Floats, gold: Floats) -> float:
    """Rank correlation with average ranks for ties; 0 where one side is constant, since that orders nothing."""
    if np.ptp(predicted) == 0 or np.ptp(gold) == 0:
        return 0.0
    from scipy.stats import spearmanr

    return float(spearmanr(predicted, gold).statistic)


def precedence(above: Floats, below: Floats) -> float:
    """Probability that a member of `above` exceeds one of `below`, ties counting half (area under ROC)."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([above, below]))[: len(above)]
    return float((ranks.sum() - len(above) * (len(above) + 1) / 2) / (len(above) * len(below)))


def probe(
    train_ND: NDArray[Any], labels_N: NDArray[np.int64], test_ND: NDArray[Any], penalty: float
) -> NDArray[np.int64]:
    """Labels a logistic regression gives the test rows, [n]. Columns are standardised by the training rows;
    `penalty` is the L2 strength (scikit-learn's 1 / C)."""
    from sklearn.linear_model import LogisticRegression

    mean, spread = train_ND.mean(0), train_ND.std(0)
    spread = np.where(spread > 1e-6, spread, 1.0)  # a constant column carries nothing and must not be blown up
    model = LogisticRegression(C=1 / penalty, max_iter=2000)
    model.fit((train_ND - mean) / spread, labels_N)
    return np.asarray(model.predict((test_ND - mean) / spread), np.int64)
