"""From entries (a photo and its captions) to a corpus: counted and checked; photos are opened when asked for."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dalr_bench import Corpus, DataError, Fault
from dalr_bench.errors import counted
from dalr_bench_plugins.reading.text import line_with

if TYPE_CHECKING:
    from PIL import Image

Captions = Literal["one", "all"]

# Photos are hashed by content up to this many bytes in all; a larger set by its names and sizes.
HASHED_BYTES = 256 * 2**20
# JSON can write what no UTF-8 text holds.
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Entry:
    """One photo (None: captions alone) with its captions, and where that was read: a line, or a name to look for."""

    photo: Path | None
    captions: Sequence[str]
    file: str
    line: int = 0
    name: str = ""

    def fault(self, what: str) -> DataError:
        """This entry's fault, with its place. A JSON document's entry is found by its name, only now."""
        line = self.line or line_with(Path(self.file), f'"{self.name}"')
        return DataError(Fault(f"{self.name}: {what}" if self.name else what, file=self.file, line=line))


@dataclass(frozen=True)
class Choice:
    """Which captions make the corpus: all, or one a photo drawn from `seed` (as MCSE has it). `limit` counts photos."""

    captions: Captions = "all"
    seed: int = 0
    limit: int | None = None
    per_image: int | None = None


class Photos:
    """Photo files as `types.Images`: opened one at a time, as RGB. Raises DataError for a file that is no picture."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Image.Image:
        from PIL import Image, UnidentifiedImageError

        path = self.paths[index]
        try:
            with Image.open(path) as opened:
                return opened.convert("RGB")
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise DataError(Fault(f"this photo cannot be opened ({error})", file=str(path))) from error


def paired_corpus(entries: Iterable[Entry], choice: Choice) -> Corpus:
    """Sentences grouped by photo, in the file's order. Raises DataError (file:line) at the first fault of an entry."""
    draw = random.Random(choice.seed)
    sentences: list[str] = []
    image_of: list[int] = []
    photos: list[Path] = []
    last: Entry | None = None
    count = 0
    for count, entry in enumerate(islice(entries, choice.limit), 1):
        last = entry
        _check(entry, choice)
        chosen = [draw.choice(entry.captions)] if choice.captions == "one" else entry.captions
        sentences += [caption.strip() for caption in chosen]
        image_of += [count - 1] * len(chosen)
        photos += [entry.photo] if entry.photo is not None else []
    if last is None:
        raise DataError("there is no captioned photo")
    if photos and len(photos) != count:
        raise last.fault(f"{count} captioned entries, but {counted(len(photos), 'photo')}")
    images = Photos(photos) if photos else None
    return Corpus(sentences, fingerprint(sentences, image_of, photos), image_of, images)


def _check(entry: Entry, choice: Choice) -> None:
    if not entry.captions:
        raise entry.fault("a photo without a caption")
    if choice.per_image is not None and len(entry.captions) != choice.per_image:
        raise entry.fault(f"{counted(len(entry.captions), 'caption')}, expected {choice.per_image}")
    for number, caption in enumerate(entry.captions, 1):
        if not isinstance(caption, str):
            raise entry.fault(f"caption {number} is not text: {caption!r}")
        if not caption.strip():
            raise entry.fault(f"caption {number} is empty")
        if _HALF_A_PAIR.search(caption):
            raise entry.fault(f"caption {number} holds half of a surrogate pair, which is no text: {caption!r}")
    if entry.photo is not None and not entry.photo.is_file():
        raise entry.fault(f"no photo at {entry.photo}")


def fingerprint(sentences: Sequence[str], image_of: Sequence[int] = (), photos: Sequence[Path] = ()) -> str:
    """sha256 of the sentences, which photo each belongs to, and the photos.

    Photos count by content where they hold at most `HASHED_BYTES` in all, else by name and size: reading tens of
    gigabytes to name a corpus would cost more than training on it. Stable across machines and folders.
    """
    digest = hashlib.sha256()
    for sentence in sentences:
        digest.update(sentence.encode() + b"\n")
    digest.update(",".join(map(str, image_of)).encode())
    sizes = [path.stat().st_size for path in photos]
    whole = sum(sizes) <= HASHED_BYTES
    for path, size in zip(photos, sizes, strict=True):
        digest.update(hashlib.sha256(path.read_bytes()).digest() if whole else f"{path.name}|{size}\n".encode())
    return digest.hexdigest()
