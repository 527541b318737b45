"""Nouns of a corpus too large to be held: records in shards, read once in order, cut into windows of a stated size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sample:
    """One record of a shard: its sentences (more than one where they are captions of one picture), each a row of the corpus.

    `columns` are further sentences by role, as long as `sentences`; `picture` is the record's picture as a file holds it.
    """

    sentences: Sequence[str]
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    picture: bytes | None = None


@dataclass(frozen=True)
class Shards:
    """Records by shard. `window` rows at a time are tokenised, asked for, trained on and dropped.

    `read(n)` gives the records of shard n in order, each time the same; it raises DataError with file and member.
    `fingerprints` name each shard's content and how it is read: by them the number of rows that were found in a shard is
    remembered. `rows` is the number of rows of all shards where that is known beforehand.
    """

    names: Sequence[str]
    fingerprints: Sequence[str]
    read: Callable[[int], Iterator[Sample]]
    window: int
    rows: int | None = None
    columns: Sequence[str] = ()
    pictures: bool = False
