"""Files that appear whole or not at all: a temporary name in the same folder, fsync, rename, fsync of the folder."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any


def write_whole(path: str | Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it into place. Missing folders are made.

    Whatever goes wrong on the way (a full disk, an interrupt), `path` is as it was before and no temporary file stays.
    Raises OSError where the folder cannot be written.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not tempfile: its files are private to their owner, and results are read by others too.
    part = target.with_name(f".{target.name[:100]}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
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


def sync_folder(folder: str | Path) -> None:
    """Make a rename in `folder` survive a power cut. Windows cannot open a folder and has no such call."""
    if os.name == "nt":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
