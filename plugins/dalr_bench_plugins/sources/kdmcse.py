"""The captions KDMCSE and DALR train on, in their own JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from dalr_bench import Corpus, DataError, DataPath, Fault, Requirement, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.reading.entries import read_entries
from dalr_bench_plugins.reading.pairs import Choice, Entry, paired_corpus
from dalr_bench_plugins.reading.text import existing

_FILE = "made by preprocess.py of duyngtr16061999/KDMCSE from Flickr30k and CLIP ViT-L/14 (its README links a copy)"
_PHOTOS = "Flickr30k's photos: fill in the request form at https://shannon.cs.illinois.edu/DenotationGraph/"


class KDMCSE:
    """KDMCSE's `flickr30k_ViT_L14.json`: `{KEY: {"image", "captions", "image_feat", "lang_feat"}}`, streamed.

    `path` is that file. Its features are a teacher's: give the same file to a `stored` teacher. `photos` is the folder
    with the photos; left out, none is needed. `captions: one` draws one a photo from `seed`; `limit` counts photos.
    Photos without a caption (KDMCSE's preprocessing drops captions over 300 characters) are a fault unless `skip_bare`.
    (duyngtr16061999/KDMCSE@33270bc:src/data.py:51-63, preprocess.py)

    Raises DataError with file and line: a cut file, an entry of another form, an empty caption, a missing photo.
    """

    def __init__(
        self,
        path: DataPath,
        photos: DataPath | None = None,
        captions: Literal["one", "all"] = "all",
        seed: int = 0,
        limit: Annotated[int, Field(ge=1)] | None = None,
        skip_bare: bool = False,
    ) -> None:
        self.path = Path(path)
        self.photos = Path(photos) if photos else None
        self.skip_bare = skip_bare
        self.choice = Choice(captions, seed, limit)

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        """The authors' file, and the photos where they are named."""
        known = {"path": _FILE, "photos": _PHOTOS}
        return [Requirement("data", options[key], how) for key, how in known.items() if options.get(key)]

    def load(self) -> Corpus:
        """Read the captions, in the order of the file."""
        return paired_corpus(self._entries(existing(self.path)), self.choice)

    def _entries(self, path: Path) -> Iterator[Entry]:
        for line, key, value in read_entries(path):
            if not isinstance(value, dict) or not isinstance(value.get("captions"), list):
                raise DataError(Fault(f"entry '{key}' has no list of captions", file=str(path), line=line))
            if self.skip_bare and not value["captions"]:
                continue
            photo = self.photos / str(value.get("image", f"{key}.jpg")) if self.photos else None
            yield Entry(photo, value["captions"], str(path), line)


@hookimpl
def register_sources(register: Register) -> None:
    register("kdmcse", KDMCSE)
