"""The shape of an encoder's space: alignment, uniformity, isotropy, hubness, effective rank. No task, no gold but
STS-B's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dalr_bench import DataError, DataPath, Evaluation, Requirement, Score, Subject, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.senteval.files import find_tree
from dalr_bench_plugins.senteval.pairs import load_stsb
from dalr_bench_plugins.senteval.protocol import signature
from dalr_bench_plugins.senteval.requirements import set_contents, set_requirements

Rows = NDArray[np.float64]


class Geometry:
    """Measures of unit rows x on STS-B's sentences (n distinct ones, n choose 2 pairs).

    * `alignment`: E |x - y|^2 over pairs with gold > `threshold` (`strictly`) or >= it. Papers differ: > 4 in SimCSE's
      evaluator, >= 4 in MCSE's; the protocol says which.
    * `uniformity`: log E exp(-2 |x - y|^2) over all pairs of distinct sentences.
    * `isotropy`: 1 - |mean cosine| over the same pairs; 1 where directions cancel.
    * `hubness`: skewness of how often a sentence is among the `neighbours` nearest of others; 0 without hubs.
    * `effective_rank`: exp of the entropy of the normalised singular values of the centred rows.

    `split`: STS-B's dev or test sentences; `sizes: any` takes files that are not of their official size, `root` another
    folder than the run's. `threshold`, `strictly`: which pairs count as the same in meaning. `neighbours`: list length
    of hubness. Alignment and uniformity are smaller where better. Raises DataError where STS-B is absent or no pair
    passes. Sources: Wang and Isola 2020 (alignment, uniformity); Radovanovic et al. 2010 (hubness); Roy and Vetterli
    2007.
    """

    def __init__(
        self,
        split: Literal["dev", "test"] = "dev",
        threshold: Annotated[float, Field(ge=0, le=5)] = 4.0,
        strictly: bool = True,
        neighbours: Annotated[int, Field(ge=1)] = 10,
        sizes: Literal["official", "any"] = "official",
        root: DataPath | None = None,
        *,
        data: str | Path | None = None,
    ) -> None:
        self.split, self.threshold, self.strictly, self.neighbours = split, threshold, strictly, neighbours
        folder = Path(root) if root is not None else Path(data) if data is not None else None
        found = load_stsb(find_tree(folder), split, sizes == "official")
        if found is None:
            raise DataError(f"geometry needs STS-B, and '{folder}' has none")
        self.pairs = found.subsets[0]
        gold = self.pairs.gold
        self.close = gold > threshold if strictly else gold >= threshold
        if not self.close.any():
            raise DataError(f"geometry: no pair of STS-B {split} has gold {self._sign} {threshold}")

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        """STS-B."""
        return set_requirements(options, ["STS-B"])

    @staticmethod
    def identity(options: Mapping[str, Any]) -> dict[str, Any]:
        """STS-B as it is, in place of where it lies."""
        found = set_contents(options, ["STS-B"])
        return {"root": found} if found else {}

    @property
    def _sign(self) -> str:
        return ">" if self.strictly else ">="

    def sentences(self) -> Iterator[str]:
        """Both sides of every pair."""
        yield from self.pairs.left
        yield from self.pairs.right

    def evaluate(self, subject: Subject) -> Evaluation:
        """The five measures, alignment first."""
        distinct = list(dict.fromkeys(self.sentences()))
        rows = unit(subject.encode(distinct))
        left, right = (unit(subject.encode(side)) for side in (self.pairs.left, self.pairs.right))
        values = {
            "alignment": (alignment(left[self.close], right[self.close]), int(self.close.sum())),
            "uniformity": (uniformity(rows), len(rows)),
            "isotropy": (isotropy(rows), len(rows)),
            "hubness": (hubness(rows, self.neighbours), len(rows)),
            "effective_rank": (effective_rank(rows), len(rows)),
        }
        facts = {"sentences": f"STS-B {self.split}", "same": f"gold {self._sign} {self.threshold:g}"}
        protocol = signature("geometry", subject, {**facts, "neighbours": self.neighbours})
        return Evaluation(
            [Score("geometry", name, value, n, self.split, None, protocol) for name, (value, n) in values.items()]
        )


def unit(rows_ND: NDArray[np.float32]) -> Rows:
    """Rows at length 1; a zero row stays."""
    rows: Rows = rows_ND.astype(np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(norms > 0, norms, 1)
    return rows


def alignment(left: Rows, right: Rows) -> float:
    """Mean squared distance of pairs that mean the same."""
    return float(((left - right) ** 2).sum(1).mean())


def uniformity(rows: Rows) -> float:
    """log of the mean of exp(-2 |x - y|^2) over pairs; |x - y|^2 = |x|^2 + |y|^2 - 2 x.y."""
    squares = (rows**2).sum(1)
    distances = squares[:, None] + squares - 2 * _products(rows)
    return float(np.log(np.exp(-2 * distances[_upper(rows)]).mean()))


def isotropy(rows: Rows) -> float:
    """1 - |mean cosine of pairs|."""
    return 1.0 - abs(float(_products(rows)[_upper(rows)].mean()))


def hubness(rows: Rows, neighbours: int) -> float:
    """Skewness of the k-occurrence: how often each row is among the k nearest of another."""
    products = _products(rows)
    np.fill_diagonal(products, -np.inf)
    count = min(neighbours, len(rows) - 1)
    nearest = np.argpartition(-products, count - 1, axis=1)[:, :count]
    times = np.bincount(nearest.ravel(), minlength=len(rows)).astype(np.float64)
    spread = times.std()
    return float((((times - times.mean()) / spread) ** 3).mean()) if spread > 0 else 0.0


def effective_rank(rows: Rows) -> float:
    """exp(-sum p log p), p the singular values of the centred rows over their sum; 0 where all rows are equal."""
    values = np.linalg.svd(rows - rows.mean(0), compute_uv=False)
    total = float(values.sum())
    if total < 1e-9:
        return 0.0
    shares = values[values > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _products(rows: Rows) -> Rows:
    products: Rows = rows @ rows.T
    return products


def _upper(rows: Rows) -> Any:
    return np.triu_indices(len(rows), 1)


@hookimpl
def register_evaluators(register: Register) -> None:
    register("geometry", Geometry)
