"""Files of tables as the `datasets` library reads them: which form a file or folder has, and its records one after another."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dalr_bench import DataError, Fault
from dalr_bench.errors import nearest

FORMS = {
    ".jsonl": "json",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".txt": "text",
}
_SAVED = ("state.json", "dataset_dict.json", "dataset_info.json")


@dataclass(frozen=True)
class Files:
    """Files of one form, in the order of their names; `more` is what its reader must be told."""

    form: str
    files: Sequence[str]
    more: Mapping[str, str]


def is_saved(path: Path) -> bool:
    """Whether `save_to_disk` wrote this folder."""
    return path.is_dir() and any((path / name).is_file() for name in _SAVED[:2])


def files_of(path: Path, split: str = "train") -> Files:
    """The files a path means. Raises DataError: nothing there, no form that is read here, files of several forms in a folder."""
    if not path.exists():
        raise DataError(Fault("no such file or folder", file=str(path)))
    if path.is_file():
        return _of_form(path.suffix, [path], path)
    if is_saved(path):
        return _saved(path, split)
    found = sorted(
        each for each in path.rglob("*") if each.is_file() and each.suffix in FORMS and each.name not in _SAVED
    )
    endings = sorted({each.suffix for each in found})
    if not found:
        raise DataError(Fault(f"no file in this folder that is read here: {', '.join(sorted(FORMS))}", file=str(path)))
    if len(endings) > 1:
        raise DataError(
            Fault(f"this folder holds files of several forms ({', '.join(endings)}); name one file", file=str(path))
        )
    return _of_form(endings[0], found, path)


def _of_form(ending: str, files: Sequence[Path], path: Path) -> Files:
    form = FORMS.get(ending)
    if form is None:
        known = ", ".join(sorted(FORMS))
        raise DataError(Fault(f"'{ending}' is no form that is read here: {known}, or a folder", file=str(path)))
    return Files(form, [str(file) for file in files], {"delimiter": "\t"} if ending == ".tsv" else {})


def _saved(path: Path, split: str) -> Files:
    place = path
    if (path / "dataset_dict.json").is_file():
        splits = sorted(each.name for each in path.iterdir() if (each / "state.json").is_file())
        if split not in splits:
            raise DataError(Fault(f"there is no split '{split}'. {nearest(split, splits)}", file=str(path)))
        place = path / split
    try:
        names = [entry["filename"] for entry in json.loads((place / "state.json").read_text())["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(Fault(f"state.json does not name its files: {error}", file=str(place))) from None
    gone = [Fault("no such shard", file=str(place / name)) for name in names if not (place / name).is_file()]
    if gone:
        raise DataError(gone)
    return Files("arrow", [str(place / name) for name in names], {})


def count_rows(found: Files, column: str) -> int | None:
    """Rows of parquet files as their own ends tell; None where that takes reading, or a record may give several rows."""
    if found.form != "parquet":
        return None
    import pyarrow
    import pyarrow.parquet

    total = 0
    for file in found.files:
        try:
            with pyarrow.parquet.ParquetFile(file) as opened:
                schema = opened.schema_arrow
                if column in schema.names and pyarrow.types.is_list(schema.field(column).type):
                    return None
                total += opened.metadata.num_rows
        except (OSError, pyarrow.ArrowException) as error:
            raise DataError(Fault(f"cannot be read: {error}", file=file)) from None
    return total


def told(where: str, reading: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    """What a reader of `datasets` gives; whatever it raises is a DataError that names the shard."""
    try:
        yield from reading()
    except (DataError, GeneratorExit):
        raise
    except Exception as error:  # the library has no base class for what it raises
        cause = error.__cause__ or error
        raise DataError(Fault(f"cannot be read: {type(cause).__name__}: {cause}", file=where)) from None
