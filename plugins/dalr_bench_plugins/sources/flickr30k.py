"""Flickr30k in the forms its owners and users ship it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from dalr_bench import Corpus, DataPath, Requirement, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.reading.albums import annotation_csv_entries, karpathy_entries, only_listed, token_entries
from dalr_bench_plugins.reading.pairs import Choice, Entry, paired_corpus
from dalr_bench_plugins.reading.text import existing

_CAPTIONS = (
    "results_20130124.token comes with the photos; dataset_flickr30k.json is Karpathy's split (caption_datasets.zip of "
    "cs.stanford.edu/people/karpathy/deepimagesent), flickr_annotations_30k.csv that of the hub's nlphuji/flickr30k"
)
_PHOTOS = (
    "the photos may not be redistributed: fill in the request form at https://shannon.cs.illinois.edu/DenotationGraph/ "
    "(the owners send a link to flickr30k-images.tar.gz), unpack it and name the folder"
)
_IDS = "train.txt of Flickr30k Entities: BryanPlummer/flickr30k_entities"


class Flickr30k:
    """Flickr30k's captions and photos; the form is read off the file's name.

    `annotations`: `results_20130124.token` (and Flickr8k's `.token.txt`), Karpathy's `dataset_flickr30k.json`, or the
    Hugging Face copy's `flickr_annotations_30k.csv`, each also gzipped. `photos` is the folder with the .jpg files;
    left out, the text alone is read. `split` counts for JSON and csv; `ids` names a list of photo ids to keep, as
    Flickr30k Entities' train.txt (29,783 photos: MCSE and its successors train on these; Karpathy's train split has
    29,000).

    `captions: one` draws one of a photo's from `seed`; `limit` counts photos; every photo must have `per_image`
    captions (None: any number). Raises DataError with file and line: a missing photo, an empty caption, a wrong
    count, a cut file. The photos may not be redistributed: they are asked for at
    https://shannon.cs.illinois.edu/DenotationGraph/.
    """

    def __init__(
        self,
        annotations: DataPath,
        photos: DataPath | None = None,
        split: Literal["train", "val", "test"] = "train",
        ids: DataPath | None = None,
        captions: Literal["one", "all"] = "all",
        seed: int = 0,
        limit: Annotated[int, Field(ge=1)] | None = None,
        per_image: Annotated[int, Field(ge=1)] | None = 5,
    ) -> None:
        self.annotations = Path(annotations)
        self.photos = Path(photos) if photos else None
        self.splits = frozenset({split})
        self.ids = Path(ids) if ids else None
        self.choice = Choice(captions, seed, limit, per_image)

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        """Captions and photos, which only their owners give."""
        known = {"annotations": _CAPTIONS, "photos": _PHOTOS, "ids": _IDS}
        return [Requirement("data", options[key], how) for key, how in known.items() if options.get(key)]

    def load(self) -> Corpus:
        """Read the captions and check that their photos are there; none is opened yet."""
        return paired_corpus(only_listed(self._entries(), self.ids), self.choice)

    def _entries(self) -> Iterator[Entry]:
        path = existing(self.annotations)
        form = path.name.removesuffix(".gz").rpartition(".")[2]
        if form == "json":
            return karpathy_entries(path, self.photos, self.splits)
        if form == "csv":
            return annotation_csv_entries(path, self.photos, self.splits)
        return token_entries(path, self.photos)


@hookimpl
def register_sources(register: Register) -> None:
    register("flickr30k", Flickr30k)
