"""A teacher whose rows somebody computed before.

Source: the feature files of uds-lsv/MCSE@3031426 and duyngtr16061999/KDMCSE@33270bc.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from dalr_bench import Corpus, DataError, DataPath, Fault, Requirement, hookimpl
from dalr_bench.errors import counted
from dalr_bench.plugin.spec import Register

if TYPE_CHECKING:
    from PIL import Image


_HOW = (
    "rows somebody computed, in the order of the corpus: MCSE's HDF5 (uds-lsv/MCSE), KDMCSE's JSON "
    "(duyngtr16061999/KDMCSE, preprocess.py), or your own safetensors or npz"
)


class StoredRows:
    """Rows from a file, by the order of the corpus: row i is sentence i (text side) or photo i (image side).

    `path`: safetensors, npz (never a pickle), HDF5 (MCSE: the array `features`, uds-lsv/MCSE@3031426:src/data.py:37),
    or KDMCSE's JSON (`image_feat`, `lang_feat`: duyngtr16061999/KDMCSE@33270bc:src/data.py:51-63). `text` and `image`
    name the arrays; left out: `lang_feat` and `image_feat` in JSON, `features` as the image side in HDF5, else `text`
    and `image`. `rows: first` allows a corpus that reads only the first photos or sentences (a `limit`); otherwise
    counts must agree.

    Raises DataError: a missing or cut file, an array it does not hold, a count that differs, pickled objects.
    """

    def __init__(
        self,
        path: DataPath,
        text: str | None = None,
        image: str | None = None,
        rows: Literal["all", "first"] = "all",
    ) -> None:
        from dalr_bench_plugins.networks.pretrained import digest_of_files

        self.path = Path(path)
        if not self.path.is_file():
            raise DataError(Fault("no such file", file=path))
        defaults = {".json": ("lang_feat", "image_feat"), ".h5": (None, "features"), ".hdf5": (None, "features")}
        by_form = defaults.get(self.path.suffix, ("text", "image"))
        self.names = {"text": text or by_form[0], "image": image or by_form[1]}
        self.rows = rows
        self.fingerprint = hashlib.sha256(f"{digest_of_files([self.path])}|{self.names}".encode()).hexdigest()
        self._read: dict[str, torch.Tensor] = {}

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        """The file of rows."""
        return [Requirement("features", options["path"], _HOW)]

    def stored_rows(self, corpus: Corpus, side: Literal["text", "image", "states"]) -> torch.Tensor:
        """All rows of one side for a whole corpus, [n, T]: what the harness asks instead of `encode_*`."""
        wanted = _photos(corpus) if side == "image" else len(corpus.sentences)
        return self._checked(side, wanted)

    def encode_text(self, sentences: list[str]) -> torch.Tensor:
        """The text rows, where these are all the sentences of the corpus in order."""
        return self._checked("text", len(sentences))

    def encode_image(self, images: list[Image.Image]) -> torch.Tensor:
        """The image rows, where these are all the photos of the corpus in order."""
        return self._checked("image", len(images))

    def _checked(self, side: str, wanted: int) -> torch.Tensor:
        rows = self._side(side)
        if len(rows) < wanted or (len(rows) > wanted and self.rows == "all"):
            thing = "sentence" if side == "text" else "photo"
            what = f"{counted(len(rows), f'{side} row')} for {counted(wanted, thing)}: not the rows of this corpus, or not in its order"
            raise DataError(Fault(what, file=str(self.path)))
        return rows[:wanted]

    def _side(self, side: str) -> torch.Tensor:
        name = self.names.get(side)
        if name is None:
            raise DataError(Fault(f"no {side} side (`text` and `image` name its arrays)", file=str(self.path)))
        if side not in self._read:
            self._read[side] = self._from_json(name) if self.path.suffix == ".json" else self._from_array(name)
        return self._read[side]

    def _from_array(self, name: str) -> torch.Tensor:
        from dalr_bench_plugins.reading.arrays import read_array

        return torch.from_numpy(read_array(self.path, name))

    def _from_json(self, name: str) -> torch.Tensor:
        from dalr_bench_plugins.reading.entries import read_entries

        parts: list[torch.Tensor] = []
        for line, key, value in read_entries(self.path):
            try:
                rows = torch.tensor(value[name], dtype=torch.float32)
            except (KeyError, TypeError, ValueError) as error:
                what = f"entry '{key}' has no numbers in '{name}'"
                raise DataError(Fault(what, file=str(self.path), line=line)) from error
            rows = rows.reshape(1, -1) if rows.ndim == 1 and rows.numel() else rows
            if rows.numel() and parts and rows.shape[-1] != parts[0].shape[-1]:
                what = f"entry '{key}' has {counted(rows.shape[-1], 'number')} a row, the first has {parts[0].shape[-1]}"
                raise DataError(Fault(what, file=str(self.path), line=line))
            parts += [rows] if rows.numel() else []
        if not parts:
            raise DataError(Fault("no entry in it", file=str(self.path), line=1))
        return torch.cat(parts)


def _photos(corpus: Corpus) -> int:
    if corpus.images is not None:
        return len(corpus.images)
    return max(corpus.image_of) + 1 if corpus.image_of else 0


@hookimpl
def register_teachers(register: Register) -> None:
    register("stored", StoredRows)
