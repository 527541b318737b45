"""Records of shards as one corpus in memory, for who does not stream; and what names how a shard is read."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from dalr_bench import Corpus, DataError, Fault, Shards

if TYPE_CHECKING:
    from PIL import Image

WINDOW = 100_000


def read_as(fingerprint: str, how: Sequence[Any]) -> str:
    """Of a shard's content and the options that decide which rows are read of it."""
    return hashlib.sha256(json.dumps([fingerprint, how], sort_keys=True).encode()).hexdigest()


def corpus_of(shards: Shards) -> Corpus:
    """All rows, in the order in which the shards are listed. Raises DataError where there is none."""
    sentences: list[str] = []
    columns: dict[str, list[str]] = {name: [] for name in shards.columns}
    image_of: list[int] = []
    pictures: list[bytes] = []
    for sample in chain.from_iterable(map(shards.read, range(len(shards.names)))):
        sentences += sample.sentences
        for name, column in columns.items():
            column += sample.columns[name]
        image_of += [len(pictures)] * len(sample.sentences)
        pictures += [sample.picture] if sample.picture is not None else []
    if not sentences:
        raise DataError(Fault("no sentence in it", file=shards.names[0] if shards.names else ""))
    named = hashlib.sha256(json.dumps([sentences, columns, image_of if pictures else []]).encode())
    for picture in pictures:
        named.update(hashlib.sha256(picture).digest())
    images = Pictures(pictures) if shards.pictures else None
    return Corpus(sentences, named.hexdigest(), image_of if shards.pictures else None, images, columns=columns)


class Pictures:
    """Encoded pictures in memory, opened one at a time as RGB."""

    def __init__(self, encoded: Sequence[bytes]) -> None:
        self._encoded = encoded

    def __len__(self) -> int:
        return len(self._encoded)

    def __getitem__(self, index: int) -> Image.Image:
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(self._encoded[index])) as opened:
                return opened.convert("RGB")
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise DataError(f"the picture of record {index} cannot be opened ({error})") from None
