"""How alike two captions are in meaning, and two pictures in what they show, in [0, 1]: known, or by a reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dalr_bench_plugins.heldout.gallery import Integers
from dalr_bench_plugins.networks.pooling import Pooling
from dalr_bench_plugins.scenes.facts import Meaning, Scene
from dalr_bench_plugins.scenes.gold import TOP, WEIGHTS, similarity

Floats = NDArray[np.float64]
Likeness = Callable[[Integers, Integers], Floats]


def known_likeness(meanings: Sequence[Meaning]) -> Likeness:
    """Gold similarity of two captions' meanings (scenes/gold.py) over its top: 1 is the same meaning."""
    seen: dict[tuple[Meaning, Meaning], float] = {}

    def one(left: Meaning, right: Meaning) -> float:
        if (left, right) not in seen:
            seen[left, right] = similarity(left, right) / TOP
        return seen[left, right]

    def likeness(left_n: Integers, right_n: Integers) -> Floats:
        pairs = zip(left_n.tolist(), right_n.tolist(), strict=True)
        return np.array([one(meanings[left], meanings[right]) for left, right in pairs])

    return likeness


def cosine_likeness(rows_ND: NDArray[Any]) -> Likeness:
    """Cosine of rows; 0 where a row is zero."""
    norms = np.linalg.norm(rows_ND.astype(np.float64), axis=1, keepdims=True)
    unit_ND = np.divide(rows_ND, norms, out=np.zeros(rows_ND.shape), where=norms > 0)

    def likeness(left_n: Integers, right_n: Integers) -> Floats:
        # Rounded, so that equal cosines stay ties whatever order a machine sums in.
        rounded: Floats = np.round(np.einsum("nd,nd->n", unit_ND[left_n], unit_ND[right_n]), 12)
        return rounded

    return likeness


@dataclass(frozen=True)
class Reference:
    """A sentence encoder that stands in for meaning where no truth is known: hub id, folder or `package:NAME`."""

    model: str
    pooling: Pooling = "mean"
    max_length: int = 128
    batch: int = 64

    def rows(self, sentences: Sequence[str], device: Any) -> NDArray[np.float32]:
        """Frozen rows of distinct sentences, [n, T]. Raises DataError where the model is not there."""
        from dalr_bench_plugins.networks.frozen import FrozenText
        from dalr_bench_plugins.networks.pretrained import Checkpoint, open_encoder
        from dalr_bench_plugins.networks.vocabulary import TextTokenizer

        encoder, tokenizer = open_encoder(Checkpoint(self.model), needs_pooler=self.pooling == "cls")
        frozen = FrozenText(encoder, TextTokenizer(tokenizer, self.max_length), device)
        rows: NDArray[np.float32] = frozen.rows(sentences, self.pooling, self.batch).numpy()
        return rows

    def __str__(self) -> str:
        return f"cosine of {self.model.rpartition('/')[2]}, pooling {self.pooling}, {self.max_length} tokens"


def shown_mass(scene: Scene) -> float:
    """Weight of all attributes a picture shows."""
    return sum(WEIGHTS[name] for thing in _facts(scene) for name in thing)


def shown_similarity(one: Scene, two: Scene) -> float:
    """2·match / (mass + mass) of all things two pictures show, hidden ones included, in [0, 1].

    match is the largest weight of shared attributes (scenes/gold.py: shape and colour 1, size and pattern ½) over
    one-to-one assignments of things. Places and relations are left out: captions state few of them.
    """
    from scipy.optimize import linear_sum_assignment

    left, right = _facts(one), _facts(two)
    shared = np.array(
        [[sum(WEIGHTS[key] for key in mine if mine[key] == theirs[key]) for theirs in right] for mine in left]
    )
    rows, columns = linear_sum_assignment(shared, maximize=True)
    return float(2 * shared[rows, columns].sum() / (shown_mass(one) + shown_mass(two)))


def _facts(scene: Scene) -> list[dict[str, str]]:
    return [{key: getattr(thing, key) for key in WEIGHTS} for thing in scene.things]
