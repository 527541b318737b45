"""Small stand-ins for what a run would give: sentences, extremes, pictures, another run, a student to score."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from dalr_bench.types import Corpus, Dims

SENTENCES = [
    "a dog runs on the grass",
    "the small cat sleeps",
    "two red balls",
    "a man plays a guitar in the street",
    "rain",
    "the woman with the green umbrella waits for the last train of the day",
    "children are singing",
]
EXTREMES: Mapping[str, Sequence[str]] = {
    "one sentence": ["a dog runs"],
    "equal sentences": ["the same again"] * 3,
    "an empty sentence": ["", "a dog runs"],
    "only white space": [" \t ", "a dog runs"],
    "a sentence of 3,000 words": ["word " * 3000, "a dog runs"],
    "non-Latin sentences": ["狗在草地上奔跑", "собака бежит", "كلب يركض", "כלב רץ", "🐕🌱", "e\u0301 \u202eabc"],
    "control characters": ["a\x00b", "line\nbreak", "\ufeffmark"],
}
VOCABULARY = sorted({word for sentence in SENTENCES for word in sentence.split()})
STUDENT, TEXT, IMAGE, TOKENS, WORDS = 16, 12, 20, 5, 40
TEACHERS = ("teacher", "other")
DIMS = Dims(
    student=STUDENT,
    text=dict.fromkeys(TEACHERS, TEXT),
    image=dict.fromkeys(TEACHERS, IMAGE),
    vocabulary=WORDS,
    pad_id=0,
    mask_id=3,
    special_ids=frozenset({0, 1, 2, 3}),
)


def hashed_rows(texts: Sequence[str], width: int = TEXT) -> np.ndarray[Any, Any]:
    """Rows that depend on the words alone: the sum of a fixed random vector a word. [n, width] float32."""
    return np.stack([sum((_word(word, width) for word in text.split()), _word(text, width)) for text in texts])


def _word(word: str, width: int) -> np.ndarray[Any, Any]:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
    return np.random.default_rng(seed).standard_normal(width).astype(np.float32)


def pictures(count: int = 5, edge: int = 24) -> list[Any]:
    """Small pictures that differ."""
    from PIL import Image

    drawn = np.random.default_rng(7).integers(0, 255, (count, edge, edge, 3), dtype=np.uint8)
    return [Image.fromarray(pixels) for pixels in drawn]


class Trained:
    """A finished run, as `trained` opens one."""

    fingerprint = "a stand-in"

    def encode_text(self, sentences: Sequence[str], space: str | None = None) -> torch.Tensor:
        return torch.from_numpy(hashed_rows(sentences))

    def encode_image(self, images: Sequence[Any], space: str) -> torch.Tensor:
        return torch.stack([torch.from_numpy(np.array(image, dtype=np.float32)).mean((0, 1)) for image in images])

    def encode_states(self, sentences: Sequence[str]) -> list[torch.Tensor]:
        return [torch.from_numpy(hashed_rows(sentence.split() or [""])) for sentence in sentences]


def trained(variant: str, seed: int | None) -> Trained:
    """What is injected as `trained`."""
    return Trained()


class Space:
    """A joint space of the scored run."""

    def text(self, sentences: Sequence[str]) -> np.ndarray[Any, Any]:
        return hashed_rows(sentences)

    def image(self, corpus: Corpus) -> np.ndarray[Any, Any]:
        return hashed_rows([str(number) for number in range(len(corpus.images or ()))])


class Student:
    """A subject to score. It remembers what it was asked for."""

    fingerprint = "a stand-in"

    def __init__(self) -> None:
        self.spaces: dict[str, Any] = {"space": Space()}
        self.protocol: dict[str, Any] = {"pooling": "mean", "max_length": 32}
        self.asked: set[str] = set()
        self.given: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = []

    def encode(self, sentences: Sequence[str]) -> np.ndarray[Any, Any]:
        self.asked.update(sentences)
        rows = hashed_rows(list(sentences), STUDENT)
        self.given.append((rows, rows.copy()))
        return rows

    def pictures(self, teacher: str, corpus: Corpus) -> np.ndarray[Any, Any]:
        return hashed_rows([f"picture {number}" for number in range(len(corpus.images or ()))], IMAGE)


def quiet_copy(student: Student) -> dict[str, Any]:
    """What an evaluator must leave as it is."""
    return {"protocol": dict(student.protocol), "spaces": dict(student.spaces)}
