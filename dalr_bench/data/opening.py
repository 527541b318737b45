"""Sentences of a sharded corpus for whoever learns a vocabulary: its first window, read only if somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import chain, islice
from typing import Any

from dalr_bench.streamed import Shards


class Opening(Sequence[str]):
    """The first window of rows in the order in which shards are listed: the same for every seed. `column`: of a column."""

    def __init__(self, shards: Shards, column: str | None = None) -> None:
        self._shards, self._column = shards, column

    def __len__(self) -> int:
        return len(self._read)

    def __getitem__(self, index: Any) -> Any:
        return self._read[index]

    @cached_property
    def _read(self) -> list[str]:
        samples = chain.from_iterable(self._shards.read(number) for number in range(len(self._shards.names)))
        texts = (
            text
            for sample in samples
            for text in (sample.sentences if self._column is None else sample.columns[self._column])
        )
        return list(islice(texts, self._shards.window))
