"""A data set of the Hugging Face hub, or files in the forms its `datasets` library reads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from dalr_bench import Corpus, DataError, DataPath, Fault, PluginError, Requirement, Shards, hookimpl
from dalr_bench.errors import nearest
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.reading.records import WINDOW, read_as
from dalr_bench_plugins.reading.remote import commit
from dalr_bench_plugins.reading.shards import edges
from dalr_bench_plugins.reading.streamed_tables import Columns, of_file
from dalr_bench_plugins.reading.tables import count_rows, files_of, is_saved

if TYPE_CHECKING:
    from PIL import Image

class HfDataset:
    """Sentences (and pictures) of a table that `datasets` reads: one of the hub, or a local file or folder.

    `path`: a .jsonl, .json, .csv, .tsv, .parquet, .arrow or .txt file, a folder of files of one of these forms, or one written by
    `save_to_disk`. `dataset`: instead, an id on the hub, with its configuration `name` and its commit `revision`.
    `split`: as that library writes it (`train`, `train[:1000]`). `column` holds the sentence, or a list of captions of the row's
    picture; `columns` names further columns by role ({positive: ..., negative: ...}); `image` names the column of pictures.
    `limit` takes the first so many rows.

    `streaming`: `window` rows at a time are read, tokenised, asked of teachers, trained on and dropped; files, or the shards the
    library makes of a data set, are the shards. `rows` says how many there are, where the files themselves do not (parquet does);
    it is needed by `train.epochs` and `mix: interleave`, and checked. An identity counts files by name, size, first and last
    64 KiB, a data set of the hub by its name and the commit `revision` means.

    Else the corpus is named by the hash of its sentences, columns and pictures. Data sets that bring code along are not run.
    Source: huggingface/datasets, `load_dataset` and `load_from_disk`.
    Raises DataError: nothing there, a column it has not, an empty sentence; PluginError where the library is missing.
    """

    def __init__(
        self,
        path: DataPath | None = None,
        dataset: str | None = None,
        name: str | None = None,
        revision: str | None = None,
        split: str = "train",
        column: str = "text",
        columns: dict[str, str] | None = None,
        image: str | None = None,
        limit: Annotated[int, Field(ge=1)] | None = None,
        streaming: bool = False,
        window: Annotated[int, Field(ge=2)] = WINDOW,
        rows: Annotated[int, Field(ge=2)] | None = None,
    ) -> None:
        if (path is None) == (dataset is None):
            raise DataError("hf_dataset: give either `path` (local files) or `dataset` (an id on the hub)")
        if find_spec("datasets") is None:
            raise PluginError("hf_dataset needs a library: pip install 'dalr-bench[datasets]'")
        self.path, self.dataset, self.name, self.revision, self.split = path, dataset, name, revision, split
        self.column, self.columns, self.image, self.limit = column, columns or {}, image, limit
        self.where = path or dataset or ""
        self.streaming, self.window, self.rows = streaming, window, rows
        if streaming and (limit is not None or "[" in split):
            raise DataError("hf_dataset: streaming reads whole shards; leave out `limit` and slices of `split`")

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        """The files, or the data set on the hub; one that is streamed is read as training goes, so nothing is fetched before."""
        if options.get("path"):
            return [Requirement("data", options["path"], "files that the `datasets` library reads")]
        if options.get("streaming"):
            return []
        how = f"a data set of the hub: on a machine with network run `hf download --repo-type dataset {options['dataset']}`"
        return [Requirement("data", str(options["dataset"]), how, revision=options.get("revision"))]

    @staticmethod
    def identity(options: Mapping[str, Any]) -> dict[str, Any]:
        """Of a stream the list of its files, or the commit on the hub: it may be too large to be read for a plan."""
        if not options["streaming"]:
            return {}
        if not options["path"]:
            return {"revision": commit(options["dataset"], options["revision"])}
        path = Path(options["path"])
        base = path if path.is_dir() else path.parent
        files = files_of(path, options["split"]).files
        return {"path": [[Path(file).relative_to(base).as_posix(), edges(Path(file))] for file in files]}

    def shards(self) -> Shards | None:
        """For a stream in windows; None where it was not asked to be one."""
        if not self.streaming:
            return None
        columns = Columns(self.column, self.columns, self.image)
        local = None if self.path is None else files_of(Path(self.path), self.split)
        at = None if local is not None else commit(self.where, self.revision)
        names, tables = self._on_hub(at) if local is None else (list(local.files), partial(of_file, local))
        marks = [f"{self.name}|{at}|{name}" if local is None else edges(Path(name)) for name in names]
        rows = self.rows if self.rows is not None or local is None else count_rows(local, self.column)
        how = [self.column, self.columns, self.image]
        return Shards(
            names,
            [read_as(mark, how) for mark in marks],
            lambda number: columns.samples(names[number], partial(tables, number)),
            self.window,
            rows,
            tuple(self.columns),
            self.image is not None,
        )

    def _on_hub(self, at: str | None) -> tuple[list[str], Callable[[int], Any]]:
        """Shards of a data set at a commit, as the library cuts it."""
        import datasets

        try:
            table = datasets.load_dataset(self.dataset, self.name, split=self.split, revision=at, streaming=True)
        except Exception as error:  # the library has no base class for what it raises
            raise self._fault(f"cannot be read: {type(error).__name__}: {error}") from None
        count = table.num_shards
        return [f"{self.dataset}:{number}" for number in range(count)], partial(table.shard, count)

    def load(self) -> Corpus:
        """Read the table; pictures stay encoded until they are asked for."""
        table = self._table()
        if self.limit is not None:
            table = table.select(range(min(self.limit, len(table))))
        sentences, rows = self._sentences(table)
        columns = {role: self._texts(table, column) for role, column in self.columns.items()}
        if columns and len(sentences) != len(table):
            raise self._fault(f"column '{self.column}' holds lists, which further `columns` cannot be matched with")
        pictures = None if self.image is None else _Pictures(self._encoded(table), self.where)
        named = _fingerprint(sentences, rows if pictures else (), columns, pictures)
        return Corpus(sentences, named, rows if pictures else None, pictures, columns=columns)

    def _table(self) -> Any:
        import datasets

        try:
            if self.path is not None:
                return self._local(datasets, Path(self.path))
            return datasets.load_dataset(self.dataset, self.name, split=self.split, revision=self.revision)
        except DataError:
            raise
        except Exception as error:  # the library has no base class for what it raises
            raise self._fault(f"cannot be read: {type(error).__name__}: {error}") from None

    def _local(self, datasets: Any, path: Path) -> Any:
        if is_saved(path):
            files_of(path, self.split.partition("[")[0])
            found = datasets.load_from_disk(str(path))
            return found[self.split] if isinstance(found, datasets.DatasetDict) else found
        local = files_of(path)
        return datasets.load_dataset(local.form, data_files={"train": list(local.files)}, split=self.split, **local.more)

    def _sentences(self, table: Any) -> tuple[list[str], list[int]]:
        """The sentences and the row each belongs to."""
        sentences: list[str] = []
        rows: list[int] = []
        for number, value in enumerate(self._column(table, self.column)):
            texts = value if isinstance(value, list) else [value]
            sentences += [self._text(text, number, self.column) for text in texts]
            rows += [number] * len(texts)
        if not sentences:
            raise self._fault("no sentence in it")
        return sentences, rows

    def _texts(self, table: Any, column: str) -> list[str]:
        return [self._text(value, number, column) for number, value in enumerate(self._column(table, column))]

    def _text(self, value: Any, row: int, column: str) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self._fault(f"row {row}, column '{column}': expected a sentence, got {str(value)[:60]!r}")
        return value.strip()

    def _column(self, table: Any, column: str) -> Sequence[Any]:
        if column not in table.column_names:
            raise self._fault(f"there is no column '{column}'. {nearest(column, table.column_names)}")
        return list(table[column])

    def _encoded(self, table: Any) -> list[Any]:
        import datasets

        assert self.image is not None
        if self.image not in table.column_names:
            raise self._fault(f"there is no column '{self.image}'. {nearest(self.image, table.column_names)}")
        return list(table.cast_column(self.image, datasets.Image(decode=False))[self.image])

    def _fault(self, what: str) -> DataError:
        return DataError(Fault(what, file=self.where))


class _Pictures:
    """Encoded pictures (bytes, or a path to a file), opened one at a time as RGB."""

    def __init__(self, encoded: Sequence[Any], where: str) -> None:
        self._encoded, self._where = encoded, where

    def __len__(self) -> int:
        return len(self._encoded)

    def __getitem__(self, index: int) -> Image.Image:
        import io

        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(self.content(index))) as opened:
                return opened.convert("RGB")
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise DataError(Fault(f"the picture of row {index} cannot be opened ({error})", file=self._where)) from None

    def content(self, index: int) -> bytes:
        """The picture's bytes. Raises DataError where a row has none."""
        found = self._encoded[index] or {}
        held: bytes | None = found.get("bytes")
        if held is None and found.get("path") and os.path.isfile(found["path"]):
            held = Path(found["path"]).read_bytes()
        if held is None:
            raise DataError(Fault(f"row {index} has no picture", file=self._where))
        return held


def _fingerprint(
    sentences: Sequence[str], rows: Sequence[int], columns: Mapping[str, Sequence[str]], pictures: _Pictures | None
) -> str:
    digest = hashlib.sha256("\n".join(sentences).encode())
    digest.update(",".join(map(str, rows)).encode())
    for role in sorted(columns):
        digest.update("\n".join([f"\n{role}", *columns[role]]).encode())
    for index in range(len(pictures or ())):
        assert pictures is not None
        digest.update(hashlib.sha256(pictures.content(index)).digest())
    return digest.hexdigest()


@hookimpl
def register_sources(register: Register) -> None:
    register("hf_dataset", HfDataset)
