"""A word-level tokenizer: lower case, split at blanks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

PAD, UNKNOWN = "[PAD]", "[UNK]"


class WordTokenizer:
    """Ids of lower-cased words by their place in `words`; id 0 pads, id 1 is every unknown word. Nothing is cut."""

    pad_id = 0
    mask_id: int | None = None
    special_ids = frozenset({0})

    def __init__(self, words: Sequence[str]) -> None:
        self.words = (PAD, UNKNOWN, *words)
        self.size = len(self.words)
        self._ids = {word: number for number, word in enumerate(self.words)}

    def __call__(self, sentences: Sequence[str]) -> list[list[int]]:
        return [[self._ids.get(word, 1) for word in sentence.lower().split()] for sentence in sentences]

    @property
    def fingerprint(self) -> str:
        """Hash of the words in order."""
        return hashlib.sha256("\n".join(("words-1", *self.words)).encode()).hexdigest()
