"""Files that appear whole or not at all: a temporary name in the same folder, fsync, rename, fsync of the folder."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any


def write_whole(path: str | Path, write: Callable[[IO[bytes]], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it into place. Missing folders are made.

    Whatever goes wrong on the way (a full disk, an interrupt), `path` is as it was before and no temporary file stays.
    Raises OSError where the folder cannot be written.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.", suffix=".part")
    try:
        with os.fdopen(number, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())  # mkstemp makes files private; results are read by others too
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` whole or not at all."""
    write_whole(path, lambda file: _fill(file, data))


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, newlines untouched."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any, indent: int | None = 2) -> None:
    """Write `value` as one JSON document with a newline at its end.

    NaN and infinity are refused (ValueError): they are not JSON, and another reader would stumble over them.
    """
    write_text(path, json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def sync_folder(folder: str | Path) -> None:
    """Make a rename in `folder` survive a power cut. Systems that cannot open a folder (Windows) have no such call."""
    if os.name == "nt":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _fill(file: IO[bytes], data: bytes) -> None:
    file.write(data)


def _umask() -> int:
    # The only way to read it sets it; the window is two calls wide and restores the same value.
    mask = os.umask(0)
    os.umask(mask)
    return mask
