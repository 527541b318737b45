"""Shards of a table, record by record: local files, or those of a data set `datasets` streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dalr_bench import DataError, Fault, Sample
from dalr_bench.errors import nearest
from dalr_bench_plugins.reading.tables import Files, told


@dataclass(frozen=True)
class Columns:
    """Which column of a table is what."""

    text: str
    more: Mapping[str, str]
    image: str | None

    def samples(self, where: str, opened: Callable[[], Any]) -> Iterator[Sample]:
        """Records of an iterable table. Raises DataError with shard and row."""
        import datasets

        table = next(told(where, lambda: iter([opened()])))
        names = table.column_names
        wanted = [self.text, *self.more.values(), *([self.image] if self.image else [])]
        if self.image is not None:
            table = table.cast_column(self.image, datasets.Image(decode=False))
        for number, row in enumerate(told(where, lambda: iter(table))):
            known = names or list(row)
            for column in wanted if number == 0 else ():
                if column not in known:
                    raise DataError(Fault(f"there is no column '{column}'. {nearest(column, known)}", file=where))
            yield self._sample(where, number, row)

    def _sample(self, where: str, number: int, row: Mapping[str, Any]) -> Sample:
        texts = _texts(where, number, self.text, row.get(self.text))
        columns = {role: _texts(where, number, name, row.get(name)) for role, name in self.more.items()}
        for name in self.more.values():
            if len(_texts(where, number, name, row.get(name))) != len(texts):
                raise DataError(
                    Fault(f"row {number}, column '{name}': has not as many sentences as '{self.text}'", file=where)
                )
        return Sample(texts, columns, None if self.image is None else _picture(where, number, row.get(self.image)))


def of_file(found: Files, number: int) -> Any:
    """An iterable table of one file."""
    import datasets

    files = {"train": [found.files[number]]}
    return datasets.load_dataset(found.form, data_files=files, split="train", streaming=True, **found.more)


def _texts(where: str, number: int, column: str, value: Any) -> Sequence[str]:
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise DataError(
            Fault(f"row {number}, column '{column}': expected a sentence, got {str(value)[:60]!r}", file=where)
        )
    return [text.strip() for text in texts]


def _picture(where: str, number: int, value: Any) -> bytes:
    found = value or {}
    held: bytes | None = found.get("bytes")
    if held is None and found.get("path") and Path(found["path"]).is_file():
        held = Path(found["path"]).read_bytes()
    if held is None:
        raise DataError(Fault(f"row {number} has no picture", file=where))
    return held
