"""COCO captions in the forms its owners and users ship them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from dalr_bench import Corpus, DataPath, Requirement, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.reading.albums import coco_entries, karpathy_entries
from dalr_bench_plugins.reading.pairs import Choice, Entry, paired_corpus
from dalr_bench_plugins.reading.text import existing

_CAPTIONS = (
    "https://cocodataset.org/#download: annotations_trainval2017.zip; dataset_coco.json is Karpathy's split (in "
    "caption_datasets.zip of cs.stanford.edu/people/karpathy/deepimagesent)"
)
_PHOTOS = "https://cocodataset.org/#download: train2017.zip (18 GB); train2014.zip and val2014.zip for Karpathy's split"


class Coco:
    """COCO's captions and photos; the form is read off the file's name.

    `annotations`: `captions_train2017.json` (or train2014, val...) of COCO itself, with `photos` its image folder; or
    Karpathy's `dataset_coco.json`, with `photos` the folder above train2014/ and val2014/, and `splits` (train alone is
    82,783 photos; train and restval together 113,287). Left out `photos`: the text alone. A photo has five to seven
    captions; `per_image` checks an exact number where one is wanted. `captions: one` draws one from `seed`; `limit`
    counts photos.

    Raises DataError with file and line: a missing photo, an empty caption, a wrong count, a file of another form.
    """

    def __init__(
        self,
        annotations: DataPath,
        photos: DataPath | None = None,
        splits: list[Literal["train", "restval", "val", "test"]] | None = None,
        captions: Literal["one", "all"] = "all",
        seed: int = 0,
        limit: Annotated[int, Field(ge=1)] | None = None,
        per_image: Annotated[int, Field(ge=1)] | None = None,
    ) -> None:
        self.annotations = Path(annotations)
        self.photos = Path(photos) if photos else None
        self.splits = frozenset[str](splits or ["train"])
        self.choice = Choice(captions, seed, limit, per_image)

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        """Captions and photos, both at cocodataset.org."""
        known = {"annotations": _CAPTIONS, "photos": _PHOTOS}
        return [Requirement("data", options[key], how) for key, how in known.items() if options.get(key)]

    def load(self) -> Corpus:
        """Read the captions and check that their photos are there; none is opened yet."""
        return paired_corpus(self._entries(), self.choice)

    def _entries(self) -> Iterator[Entry]:
        path = existing(self.annotations)
        if path.name.startswith("captions_"):
            return coco_entries(path, self.photos)
        return karpathy_entries(path, self.photos, self.splits)


@hookimpl
def register_sources(register: Register) -> None:
    register("coco", Coco)
