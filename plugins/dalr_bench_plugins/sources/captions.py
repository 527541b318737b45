"""A folder of photos with their captions in one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from dalr_bench import Corpus, DataError, DataPath, Fault, Requirement, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.reading.pairs import Choice, Entry, paired_corpus
from dalr_bench_plugins.reading.text import existing, read_json_lines


class Captions:
    """A folder with `captions.jsonl` (or .gz): `{"image": "images/1.jpg", "captions": ["...", ...], ...}` a line.

    `root` is the folder, `file` the captions' name in it. `captions: one` draws one caption a photo from `seed`, `all`
    keeps every one. `split` keeps the lines whose field `split` has that value. `limit` counts photos; `per_image` is
    the number of captions every photo must have. `photos: false` reads the text alone: captions still know which share
    a photo, and no photo need be there.

    The corpus is named by its sentences and its photos (by content up to 256 MiB in all, else by name and size).
    Raises DataError with file and line: a photo that is not there, an empty caption, a wrong count, a line that is no
    such object.
    """

    def __init__(
        self,
        root: DataPath,
        file: str = "captions.jsonl",
        captions: Literal["one", "all"] = "all",
        seed: int = 0,
        split: str | None = None,
        limit: Annotated[int, Field(ge=1)] | None = None,
        per_image: Annotated[int, Field(ge=1)] | None = None,
        photos: bool = True,
    ) -> None:
        self.root = Path(root)
        self.file = file
        self.split = split
        self.photos = photos
        self.choice = Choice(captions, seed, limit, per_image)

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        """The folder."""
        return [Requirement("data", options["root"], f"a folder with {options['file']} and the photos it names")]

    def load(self) -> Corpus:
        """Read the captions and check that their photos are there; none is opened yet."""
        path = existing(self.root / self.file)
        if next(self._entries(path), None) is None:
            what = "no captioned photo in it" + (f" with split '{self.split}'" if self.split else "")
            raise DataError(Fault(what, file=str(path), line=1))
        return paired_corpus(self._entries(path), self.choice)

    def _entries(self, path: Path) -> Iterator[Entry]:
        for number, row in read_json_lines(path):
            if self.split is None or row.get("split") == self.split:
                yield self._entry(path, number, row)

    def _entry(self, path: Path, number: int, row: dict[str, Any]) -> Entry:
        image, captions = row.get("image"), row.get("captions")
        if not isinstance(image, str) or not isinstance(captions, list):
            what = 'expected {"image": "FILE", "captions": ["...", ...]}'
            raise DataError(Fault(what, file=str(path), line=number))
        return Entry(self.root / image if self.photos else None, captions, str(path), number)


@hookimpl
def register_sources(register: Register) -> None:
    register("captions", Captions)
