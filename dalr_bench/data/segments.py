"""Rows of a window, gathered shard by shard as they are read, and joined in the order in which the shards are listed.

So a window that holds the whole corpus is that corpus, whatever the order of reading.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from dalr_bench.data.spool import Kept, Spool, Spooled
from dalr_bench.errors import DataError, Fault
from dalr_bench.streamed import Sample, Shards
from dalr_bench.types import Corpus


class Row(NamedTuple):
    """One sentence: of which shard, of which of its records, and which of that record's sentences."""

    shard: int
    record: int
    place: int
    sample: Sample


@dataclass
class Segment:
    """Consecutive rows of one shard. `image_of` counts this segment's own pictures."""

    sentences: list[str] = field(default_factory=list)
    columns: dict[str, list[str]] = field(default_factory=dict)
    image_of: list[int] = field(default_factory=list)
    pictures: list[Kept] = field(default_factory=list)
    last: int = -1

    def add(self, row: Row, shards: Shards, spool: Spool | None) -> None:
        """One more row; the picture of a record is kept once."""
        self.sentences.append(row.sample.sentences[row.place])
        for name in shards.columns:
            self.columns.setdefault(name, []).append(row.sample.columns[name][row.place])
        if spool is not None:
            if row.record != self.last:
                picture = row.sample.picture
                if picture is None:
                    raise DataError(Fault(f"record {row.record} has no picture", file=shards.names[row.shard]))
                self.pictures.append(spool.add(picture, shards.names[row.shard], row.record))
            self.image_of.append(len(self.pictures) - 1)
        self.last = row.record


def gathered(rows: Iterable[Row], shards: Shards, spool: Spool | None) -> Corpus:
    """These rows as a corpus. `spool` takes its pictures, where it has any and somebody looks at them."""
    found: dict[int, Segment] = {}
    for row in rows:
        found.setdefault(row.shard, Segment()).add(row, shards, spool)
    segments = [found[shard] for shard in sorted(found)]
    sentences = [sentence for segment in segments for sentence in segment.sentences]
    columns = (
        {name: [text for segment in segments for text in segment.columns[name]] for name in shards.columns}
        if segments
        else {}
    )
    pictures = [kept for segment in segments for kept in segment.pictures]
    image_of = _image_of(segments) if spool is not None else None
    named = _fingerprint(sentences, columns, image_of or (), pictures)
    images = Spooled(spool, pictures) if spool is not None else None
    return Corpus(sentences, named, image_of, images, columns=columns)


def kept_in(corpus: Corpus, folder: Path) -> Corpus:
    """The same corpus, whose stores go to a folder of their own."""
    return replace(corpus, stores=str(folder))


def _image_of(segments: Sequence[Segment]) -> list[int]:
    out: list[int] = []
    before = 0
    for segment in segments:
        out += [before + number for number in segment.image_of]
        before += len(segment.pictures)
    return out


def _fingerprint(
    sentences: Sequence[str], columns: dict[str, list[str]], image_of: Sequence[int], pictures: Sequence[Kept]
) -> str:
    digest = hashlib.sha256(b"window-1\n")
    for name, texts in (("", sentences), *sorted(columns.items())):
        digest.update(f"\n{name}\n{len(texts)}\n".encode())
        for text in texts:
            digest.update(text.encode() + b"\n")
    digest.update(",".join(map(str, image_of)).encode())
    for kept in pictures:
        digest.update(kept.digest)
    return digest.hexdigest()
