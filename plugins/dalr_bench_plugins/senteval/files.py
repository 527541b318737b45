"""Reading SentEval's files as they are; whatever is wrong with one is named by file and line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from dalr_bench import DataError, Fault
from dalr_bench.errors import counted

T = TypeVar("T")


def find_tree(folder: Path | None, name: str = "downstream") -> Path:
    """The folder called `name` of SentEval's tree: `folder` itself, in it, or one level further down.

    Raises DataError where no folder is given or none is found.
    """
    if folder is None:
        raise DataError("no evaluation data: name SentEval's tree by --data, DALR_BENCH_DATA or the option `root`")
    for candidate in (folder, folder / name, folder / "senteval" / name, *sorted(folder.glob(f"*/{name}"))):
        if candidate.name == name and candidate.is_dir():
            return candidate
    raise DataError(
        f"'{folder}' holds no '{name}' folder of SentEval's tree (expected {name}/..., or senteval/{name}/... in it)"
    )


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """A whole file, newlines made `\\n`. Raises DataError where it is missing, empty or not in that encoding."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(Fault(f"cannot be read ({error.strerror})", file=str(path))) from error
    if not raw.strip():
        raise DataError(Fault("is empty", file=str(path)))
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(Fault(f"is not {encoding} text", file=str(path), line=line)) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_rows(path: Path, encoding: str = "utf-8") -> list[str]:
    """Lines that end in a newline, and only those: other characters some call line ends stay inside a line."""
    return read_text(path, encoding).removesuffix("\n").split("\n")


def columns(line: str, least: int, path: Path, number: int) -> list[str]:
    """The tab-separated columns of a line. Raises DataError where there are fewer than `least`."""
    parts = line.split("\t")
    if len(parts) < least:
        raise DataError(Fault(f"has {counted(len(parts), 'tab-separated column')}, expected {least}", file=str(path), line=number))
    return parts


def number_in(text: str, read: Callable[[str], T], path: Path, line: int) -> T:
    """`read(text)` for a number. Raises DataError where it is none."""
    try:
        return read(text)
    except ValueError as error:
        raise DataError(Fault(f"{text!r} is no number", file=str(path), line=line)) from error


def label_in(text: str, labels: Mapping[str, int], path: Path, line: int) -> int:
    """The class of a label. Raises DataError for an unknown one."""
    if text not in labels:
        raise DataError(Fault(f"unknown label {text!r}; known: {', '.join(labels)}", file=str(path), line=line))
    return labels[text]


def check_count(found: int, expected: int | None, what: str, path: Path) -> None:
    """Raises DataError where a set is not of its official size (`expected` None: any size passes)."""
    if expected is not None and found != expected:
        fault = (
            f"{what} has {counted(found, 'example')}, the official one {expected}: cut or altered (option `sizes: any` takes it)"
        )
        raise DataError(Fault(fault, file=str(path)))
