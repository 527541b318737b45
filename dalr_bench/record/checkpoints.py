"""`checkpoints/<step>/`: files of one moment of training. `manifest.json`, written last, holds their sizes and hashes."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dalr_bench.errors import counted
from dalr_bench.record.files import load_json, write_folder, write_json

CHECKPOINTS, MANIFEST = "checkpoints", "manifest.json"
_KEPT = 2  # the newest, and one to fall back to
AT_ONCE = _KEPT + 1  # the older goes when the newer is whole


def write_checkpoint(run: Path, step: int, fill: Callable[[Path], Any]) -> int:
    """Let `fill` put files into the folder of a step; older checkpoints but one go. Returns its bytes.

    Raises OSError where there is no room; the checkpoints before it are then untouched.
    """

    def whole(folder: Path) -> None:
        fill(folder)
        files = {path.name: _entry(path) for path in sorted(folder.iterdir())}
        write_json(folder / MANIFEST, {"step": step, "files": files})

    write_folder(_folder(run, step), whole)
    for old in steps(run)[_KEPT:]:
        shutil.rmtree(_folder(run, old), ignore_errors=True)
    return sum(path.stat().st_size for path in _folder(run, step).iterdir())


def newest_checkpoint(run: Path, told: Callable[[str], Any]) -> tuple[int, Path] | None:
    """The newest checkpoint whose files are what its manifest says. A damaged one is told in one line, and removed."""
    for step in steps(run):
        folder = _folder(run, step)
        fault = damage(folder)
        if fault is None:
            return step, folder
        told(f"checkpoint of step {step} is not used: {fault}")
        shutil.rmtree(folder, ignore_errors=True)
    return None


def steps(run: Path) -> list[int]:
    """Steps that have a checkpoint, whole or not; the newest first."""
    try:
        names = os.listdir(run / CHECKPOINTS)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted((int(name) for name in names if name.isdecimal()), reverse=True)


def damage(folder: Path) -> str | None:
    """What is wrong with a checkpoint, in a few words; None where every file is as it was written."""
    try:
        manifest = load_json(folder / MANIFEST)
        files = {str(name): dict(entry) for name, entry in manifest["files"].items()}
    except FileNotFoundError:
        return f"{MANIFEST} is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{MANIFEST} cannot be read ({error})"
    return next((fault for name, entry in files.items() if (fault := _fault(folder / name, entry))), None)


def clear_checkpoints(run: Path) -> None:
    """Remove all of them."""
    shutil.rmtree(run / CHECKPOINTS, ignore_errors=True)


def _fault(path: Path, entry: dict[str, Any]) -> str | None:
    try:
        size = path.stat().st_size
        if size != entry.get("size"):
            return f"{path.name} has {counted(size, 'byte')}, not {entry.get('size')}"
        return None if _sha256(path) == entry.get("sha256") else f"{path.name} is not what was written (sha256)"
    except FileNotFoundError:
        return f"{path.name} is missing"
    except OSError as error:
        return f"{path.name} cannot be read ({error.strerror})"


def _entry(path: Path) -> dict[str, Any]:
    return {"size": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _folder(run: Path, step: int) -> Path:
    return run / CHECKPOINTS / f"{step:09d}"
