"""Text files, plain or gzipped, line by line; JSON whole. What cannot be read is a DataError that says where."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from dalr_bench import DataError, Fault
from dalr_bench.errors import counted


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, line without its end), from 1. Streams; a byte order mark at the start is dropped.

    Raises DataError for a missing file, a cut gzip stream (with the line reached), bytes that are not UTF-8.
    """
    number = 0
    try:
        with open_binary(path) as handle:
            for number, raw in enumerate(handle, 1):
                yield number, _decoded(path, number, raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        what = f"the gzip stream is cut or damaged ({error})"
        raise DataError(Fault(what, file=str(path), line=number + 1)) from error


def read_json(path: Path) -> Any:
    """A whole JSON document. Raises DataError with line and column."""
    text = "\n".join(line for _, line in numbered_lines(path))
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        fault = Fault(f"not JSON: {error.msg}", file=str(path), line=error.lineno, column=error.colno)
        raise DataError(fault) from error


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) of a file with one JSON object a line; blank lines are passed over."""
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            fault = Fault(f"not JSON: {error.msg}", file=str(path), line=number, column=error.colno)
            raise DataError(fault) from error
        if not isinstance(value, dict):
            raise DataError(Fault("expected one JSON object a line", file=str(path), line=number))
        yield number, value


def existing(*candidates: Path) -> Path:
    """The first of these files that is there, else of their gzipped twins. Raises DataError naming the first."""
    twins = [path.with_name(path.name + ".gz") for path in candidates]
    for path in (*candidates, *twins):
        if path.is_file():
            return path
    raise DataError(Fault("no such file", file=str(candidates[0])))


def line_with(path: Path, text: str) -> int:
    """Number of the first line that holds this text; 1 where none does (a document on one line)."""
    return next((number for number, line in numbered_lines(path) if text in line), 1)


def read_csv(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number a row ends at, row) of a csv file with a header that holds at least these columns.

    Raises DataError for a header without them and for a row with fewer or more fields than the header.
    """
    reached = 0

    def lines() -> Iterator[str]:
        nonlocal reached
        for number, line in numbered_lines(path):
            reached = number
            yield line + "\n"

    reader = csv.DictReader(lines(), strict=True)
    try:
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            what = (
                f"the header has no column {', '.join(missing)}; it has {', '.join(reader.fieldnames or ['nothing'])}"
            )
            raise DataError(Fault(what, file=str(path), line=1))
        for row in reader:
            if None in row or None in row.values():
                what = f"a row of another length than the header's {counted(len(reader.fieldnames or ()), 'field')}"
                raise DataError(Fault(what, file=str(path), line=reached))
            yield reached, row
    except csv.Error as error:
        raise DataError(Fault(f"not csv: {error}", file=str(path), line=reached)) from error


def open_binary(path: Path) -> BinaryIO:
    """The file's bytes, unpacked where its name ends in .gz. Raises DataError where it cannot be opened."""
    try:
        return cast("BinaryIO", gzip.open(path) if path.suffix == ".gz" else path.open("rb"))
    except FileNotFoundError as error:
        raise DataError(Fault("no such file", file=str(path))) from error
    except OSError as error:
        raise DataError(Fault(f"cannot be read ({error.strerror})", file=str(path))) from error


def _decoded(path: Path, number: int, raw: bytes) -> str:
    if number == 1:
        raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        return raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        what = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise DataError(Fault(what, file=str(path), line=number, column=error.start + 1)) from error
