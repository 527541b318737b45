"""Files that appear whole or not at all: a temporary name in the same folder, fsync, rename, fsync of the folder."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from dalr_bench.record.process import is_alive, place

_PART = re.compile(r"\..*\.([0-9a-f]{8})\.(\d+)\.[0-9a-f]{8}\.part")
_SECONDS_A_STRANGERS_PART_IS_LEFT = 3600.0


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


@contextmanager
def temporary(target: Path) -> Iterator[Path]:
    """A name beside `target` that `sweep` knows; what is there at the end is removed."""
    part = _part(target)
    try:
        yield part
    finally:
        with suppress(OSError):
            part.unlink()


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
    part, old = _part(target), _part(target)
    try:
        part.mkdir()
        fill(part)
        _sync_tree(part)
        if target.exists():
            target.rename(old)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
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
    """The document of a JSON file. Raises ValueError where it is damaged, saying where; OSError where unreadable."""
    try:
        return json.loads(path.read_bytes())
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not text") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"{path.name} is damaged or half-written at {where}: {error.msg}") from None
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply to be one of ours") from None


def sweep(folder: str | Path, deep: bool = True) -> list[str]:
    """Remove temporary files that processes left which are gone, in `folder` and (`deep`) the folders in it; returns their names.

    A process of another machine cannot be asked: its temporary files go when they are an hour old.
    """
    swept = []
    root = Path(folder)
    for path in list(root.rglob(".*.part") if deep else root.glob(".*.part")):
        found = _PART.fullmatch(path.name)
        if found and _is_orphan(path, *found.groups()):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            swept.append(path.name)
    return swept


def sync_folder(folder: str | Path) -> None:
    """Make a rename in `folder` survive a power cut. Windows cannot open a folder and has no such call."""
    if os.name == "nt":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _part(target: Path) -> Path:
    # Not tempfile: its files are private to their owner, and results are read by others too.
    return target.with_name(f".{target.name[:100]}.{place()}.{os.getpid()}.{secrets.token_hex(4)}.part")


def _is_orphan(path: Path, where: str, pid: str) -> bool:
    if where == place():
        return not is_alive(int(pid))
    try:
        return time.time() - path.lstat().st_mtime > _SECONDS_A_STRANGERS_PART_IS_LEFT
    except FileNotFoundError:
        return False


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_tree(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        sync_folder(path) if path.is_dir() else _sync_file(path)
