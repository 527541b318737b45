"""Encoded pictures of one window: in a file beside its stores, opened one at a time, gone when its rows were made."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dalr_bench.errors import DataError, Fault
from dalr_bench.orphans import part_path, sweep

if TYPE_CHECKING:
    from PIL import Image


class Kept(NamedTuple):
    """Where a picture lies in the spool, what is in it, and the shard and record it came from."""

    start: int
    size: int
    digest: bytes
    shard: str
    record: int


class Spool:
    """A file that grows by pictures. What a killed process left is swept by the next one."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder, deep=False)
        self.path = part_path(folder / "pictures")
        self._file = self.path.open("w+b")
        self._end = 0

    def add(self, picture: bytes, shard: str, record: int) -> Kept:
        """Keep one more picture."""
        self._file.write(picture)
        kept = Kept(self._end, len(picture), hashlib.sha256(picture).digest(), shard, record)
        self._end += len(picture)
        return kept

    def get(self, kept: Kept) -> bytes:
        """A picture as it was given."""
        self._file.flush()
        return os.pread(self._file.fileno(), kept.size, kept.start)

    def close(self) -> None:
        """All pictures go."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class Spooled:
    """Pictures of a spool as `types.Images`: RGB. Raises DataError naming shard and record for what is no picture."""

    def __init__(self, spool: Spool, kept: Sequence[Kept]) -> None:
        self._spool, self._kept = spool, kept

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> Image.Image:
        from PIL import Image, UnidentifiedImageError

        kept = self._kept[index]
        try:
            with Image.open(io.BytesIO(self._spool.get(kept))) as opened:
                return opened.convert("RGB")
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
            what = f"the picture of record {kept.record} cannot be opened ({error})"
            raise DataError(Fault(what, file=kept.shard)) from None
