"""Subjects for tests of evaluators, whose vectors are written by hand: a row for each sentence, no training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dalr_bench import Corpus, OpenSpace


class Spoken:
    """A subject that gives a sentence the vector it is told to."""

    fingerprint = "by hand"

    def __init__(self, vector: Callable[[str], Any], spaces: Mapping[str, OpenSpace] | None = None) -> None:
        self.vector = vector
        self.spaces: Mapping[str, OpenSpace] = spaces or {}
        self.protocol: Mapping[str, Any] = {"pooling": "by hand"}

    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([np.asarray(self.vector(sentence), np.float32) for sentence in sentences])


class Seeing(Spoken):
    """The same with an image teacher called `clip`, whose rows are written by hand too."""

    def __init__(self, vector: Callable[[str], Any], rows: Any) -> None:
        super().__init__(vector)
        self.rows = np.asarray(rows, np.float32)

    def pictures(self, teacher: str, corpus: Corpus) -> NDArray[np.float32]:
        assert teacher == "clip"
        assert corpus.images is not None
        return self.rows[: len(corpus.images)]


class Table:
    """A joint space given as two tables of rows."""

    def __init__(self, text: Any, image: Any) -> None:
        self.rows = {"text": np.asarray(text, np.float32), "image": np.asarray(image, np.float32)}

    def text(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        return self.rows["text"][: len(sentences)]

    def image(self, corpus: Corpus) -> NDArray[np.float32]:
        assert corpus.images is not None
        assert len(corpus.images) == len(self.rows["image"])
        return self.rows["image"]


def random_vector(sentence: str, width: int = 64) -> NDArray[np.float64]:
    """A direction of its own for every sentence, the same whenever it is asked."""
    import hashlib

    seed = int.from_bytes(hashlib.sha256(sentence.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=width)
