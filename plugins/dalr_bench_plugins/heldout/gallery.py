"""Held-out pictures with their captions: fresh scenes, whose truth is known, or a folder or file of photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict  # pydantic reads the standard one from Python 3.12 on only

from dalr_bench import Corpus, DataError, Fault
from dalr_bench_plugins.scenes import VERSION
from dalr_bench_plugins.scenes.facts import Meaning, Scene

# Where a seed is not named: far from those a source is given, so that no evaluation meets its training scenes.
SEEDS = {"dev": 900_001, "test": 900_002}
Integers = NDArray[np.int64]


class FreshScenes(TypedDict, total=False):
    """Options of the source `scenes` that matter here; what is left out keeps that source's default.

    The world (shapes, colours, synonyms, world, themes, skew, max_words) must be the one the run was trained on.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]  # pydantic's own documented form

    scenes: Annotated[int, Field(ge=2)]
    captions: Annotated[int, Field(ge=1)]
    seed: int
    described: Annotated[int, Field(ge=1, le=9)]
    hidden: Annotated[float, Field(ge=0, le=8)]
    divergence: Annotated[float, Field(ge=0, le=1)]
    shapes: Annotated[int, Field(ge=2, le=10)]
    colours: Annotated[int, Field(ge=2, le=8)]
    synonyms: Annotated[int, Field(ge=1, le=5)]
    world: int
    themes: Annotated[int, Field(ge=1)]
    skew: Annotated[float, Field(ge=0, le=1)]
    max_words: Annotated[int, Field(ge=11)]
    picture: Annotated[int, Field(ge=32)]


@dataclass(frozen=True)
class Gallery:
    """Captions row by row with the picture each belongs to; `scenes` and `meanings` where the truth is known.

    `facts` say in a protocol what was looked at.
    """

    corpus: Corpus
    facts: Mapping[str, Any]
    scenes: Sequence[Scene] = ()
    meanings: Sequence[Meaning] = ()

    @property
    def picture_of(self) -> Integers:
        """The picture of each caption, [n]."""
        return np.asarray(self.corpus.image_of, np.int64)

    @property
    def known(self) -> bool:
        """Whether the meaning of every caption is known."""
        return bool(self.meanings)


def fresh(options: FreshScenes | None, defaults: FreshScenes) -> Gallery:
    """Scenes of these options over the defaults, with their truth. Raises SuiteError where they do not fit."""
    from dalr_bench_plugins.scenes.stream import stream
    from dalr_bench_plugins.scenes.world import World
    from dalr_bench_plugins.sources.scenes import Scenes

    chosen: dict[str, Any] = {**defaults, **(options or {})}
    source = Scenes(**chosen)
    found = list(stream(World(source.size), source.options))
    facts = {"data": "fresh scenes", "generator": VERSION, "world": source.size, **asdict(source.options)}
    meanings = [meaning for item in found for meaning in item.meanings]
    return Gallery(source.load(), facts, [item.scene for item in found], meanings)


def captioned(root: str, photos: str | None, keep: str | None, looking: bool = True) -> Gallery:
    """A folder with captions.jsonl, or a captions file of Flickr30k or COCO with its folder of photos.

    Not `looking`, the photos need not be there.

    `keep` is the split to read: `test` for Karpathy's files unless said, every line of a captions.jsonl unless said.
    Raises DataError with file and line: missing photos, empty captions, fewer than two pictures.
    """
    corpus = _read(Path(root), photos, keep, looking)
    if len(set(corpus.image_of or ())) < 2:
        raise DataError(Fault("holds fewer than two captioned pictures to compare", file=root))
    name = Path(root).name
    return Gallery(corpus, {"data": name, "split": keep or "as read", "pictures": corpus.fingerprint[:12]})


def _read(root: Path, photos: str | None, keep: str | None, looking: bool) -> Corpus:
    from dalr_bench_plugins.sources.captions import Captions
    from dalr_bench_plugins.sources.coco import Coco
    from dalr_bench_plugins.sources.flickr30k import Flickr30k

    if root.is_dir():
        return Captions(str(root), split=keep, photos=looking).load()
    split: Any = keep or "test"  # the source says which there are
    if root.name.startswith(("captions_", "dataset_coco")):
        return Coco(str(root), photos, [split]).load()
    return Flickr30k(str(root), photos, split, per_image=None).load()
