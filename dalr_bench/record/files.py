"""Files that appear whole or not at all: a temporary name in the same folder, fsync, rename, fsync of the folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from dalr_bench.orphans import temporary


def write_path(path: str | Path, write: Callable[[Path], Any]) -> None:
    """Let `write` make a temporary file beside `path` by its name, then rename it into place. Missing folders are made.

    Whatever goes wrong on the way (a full disk, an interrupt), `path` is as it was before and no temporary file stays.
    Raises OSError where the folder cannot be written.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary(target) as part:
        write(part)
        _sync_file(part)
        part.replace(target)
    sync_folder(target.parent)


def write_apart(path: str | Path, write: Callable[[Path], Any]) -> None:
    """`write_path` for a library that makes temporary files of its own beside what it writes: it works in a folder that goes."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary(target) as part:
        part.mkdir()
        write(part / target.name)
        _sync_file(part / target.name)
        (part / target.name).replace(target)
    sync_folder(target.parent)


def write_whole(path: str | Path, write: Callable[[IO[bytes]], Any]) -> None:
    """`write_path` for a `write` that fills an open file."""

    def fill(part: Path) -> None:
        with part.open("xb") as file:
            write(file)

    write_path(path, fill)


def write_folder(path: str | Path, fill: Callable[[Path], Any]) -> None:
    """Let `fill` fill a new folder, which then takes the place of `path`: the folder is there with all its files or not at all."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary(target) as part, temporary(target) as old:
        part.mkdir()
        fill(part)
        _sync_tree(part)
        if target.exists():
            target.rename(old)
        part.rename(target)
    sync_folder(target.parent)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` whole or not at all."""
    write_whole(path, lambda file: file.write(data))


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, newlines untouched."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any, indent: int | None = 2) -> None:
    """Write `value` as one JSON document with a newline at its end.

    NaN and infinity are refused (ValueError): they are not JSON, and another reader would stumble over them.
    """
    write_text(path, json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def load_json(path: Path) -> Any:
    """The document of a JSON file. Raises FileNotFoundError where there is none, ValueError where it cannot be read or
    is damaged, saying how."""
    try:
        return json.loads(path.read_bytes(), parse_constant=_no_number)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"there is no {path.name}") from None
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not text") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"{path.name} is damaged or half-written at {where}: {error.msg}") from None
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply to be one of ours") from None


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def sync_folder(folder: str | Path) -> None:
    """Make a rename in `folder` survive a power cut. Windows cannot open a folder and has no such call."""
    if os.name == "nt":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_tree(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        sync_folder(path) if path.is_dir() else _sync_file(path)
