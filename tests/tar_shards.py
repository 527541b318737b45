"""Tar shards as webdataset has them, written in a test."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

NOUNS = ["dog", "cat", "ball", "grass"]
VERBS = ["runs", "sleeps", "sees"]
KINDS = ["a", "the", "two", "big", "small", "red"]


def sentence(number: int) -> str:
    """Sentence of that number: distinct up to 6·4·3·6·4."""
    words = []
    for choices in (KINDS, NOUNS, VERBS, KINDS, NOUNS):
        number, at = divmod(number, len(choices))
        words.append(choices[at])
    return " ".join(words)


def picture(number: int) -> bytes:
    """A small picture of that number."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (7 * number % 256, 255 - 5 * number % 256, 13 * number % 256)).save(out, "PNG")
    return out.getvalue()


def tar_of(path: Path, members: Mapping[str, bytes]) -> Path:
    """A tar with these members, in order, always the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def captioned(folder: Path, sizes: Sequence[int], pictures: bool = False, captions: int = 1) -> list[str]:
    """Shards `000.tar`, ... of so many records each; returns all sentences in order. More `captions` than one: in JSON."""
    sentences: list[str] = []
    for shard, size in enumerate(sizes):
        members: dict[str, bytes] = {}
        for record in range(size):
            texts = [sentence(len(sentences) + each) for each in range(captions)]
            document = {"caption": texts if captions > 1 else texts[0]}
            members[f"{record:05}.json"] = json.dumps(document).encode()
            members[f"{record:05}.txt"] = texts[0].encode()
            if pictures:
                members[f"{record:05}.png"] = picture(len(sentences))
            sentences += texts
        tar_of(folder / f"{shard:03}.tar", members)
    return sentences
