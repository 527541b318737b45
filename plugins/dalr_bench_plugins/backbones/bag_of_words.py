"""Counts of words: what a score is worth that words alone give."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from dalr_bench import DataError, hookimpl
from dalr_bench.plugin.spec import Register

if TYPE_CHECKING:
    from dalr_bench_plugins.bags.encoder import BagEncoder


def bag_of_words(
    idf: bool = False,
    most: Annotated[int, Field(ge=1)] = 4096,
    *,
    vocabulary: Sequence[str] = (),
    sentences: Sequence[str] = (),
) -> BagEncoder:
    """One column per word, its count as value: a floor that needs no training.

    * `idf`: multiply by ln((1 + n) / (1 + n_w)) + 1, with n sentences of which n_w hold the word (scikit-learn's smooth
      idf).
    * `most`: how many columns at most where the language is open (the most frequent words; ties by alphabet). A closed
      world has all its words.

    Source of the idf: scikit-learn's `TfidfTransformer(smooth_idf=True)`; the test compares with it.

    Raises DataError where there are neither a vocabulary nor sentences, or where `idf` is asked for without sentences.
    """
    from dalr_bench_plugins.bags.encoder import BagEncoder

    if not vocabulary and not len(sentences):
        raise DataError("bag_of_words: no source gives a vocabulary or sentences")
    if idf and not len(sentences):
        raise DataError("bag_of_words: idf is counted on sentences, and no source gives any")
    counts: Counter[str] = Counter()
    if idf or not vocabulary:
        for sentence in sentences:
            counts.update(set(sentence.lower().split()))
    words = list(vocabulary) or sorted(sorted(counts), key=counts.__getitem__, reverse=True)[:most]
    weights = {word: math.log((1 + len(sentences)) / (1 + counts[word])) + 1 for word in words} if idf else {}
    columns = {word: column for column, word in enumerate(words)}
    return BagEncoder(words, columns, weights, {"model": "bag_of_words", "idf": idf})


@hookimpl
def register_backbones(register: Register) -> None:
    register("bag_of_words", bag_of_words)
