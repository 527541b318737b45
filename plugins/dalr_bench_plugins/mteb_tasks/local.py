"""mteb tasks on files of one's own: JSON lines instead of the hub's data sets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dalr_bench import DataError, Fault

# The hub's SICK-R test split is SICK's three files together.
_JOINED: Mapping[str, Sequence[str]] = {"SICK-R": ("train", "trial", "test_annotated")}


def files_of(folder: Path, task: str, splits: Sequence[str]) -> dict[str, list[Path]]:
    """Split → its files: `TASK/SPLIT.jsonl`, or `*/TASK.SPLIT.jsonl`, or for a single split `*/TASK.jsonl`.

    Raises DataError where a split has none.
    """
    out: dict[str, list[Path]] = {}
    for split in splits:
        single = [f"*/{task}.jsonl", f"{task}.jsonl"] if split == "test" else []
        patterns = [f"{task}/{split}.jsonl", f"*/{task}.{split}.jsonl", *single]
        found = [path for pattern in patterns for path in sorted(folder.glob(pattern))][:1]
        if not found and task in _JOINED:
            parts = [sorted(folder.glob(f"*/{task}.{part}.jsonl"))[:1] for part in _JOINED[task]]
            found = [path for part in parts for path in part] if all(parts) else []
        if not found:
            raise DataError(f"'{folder}' holds no {task} {split}: expected {' or '.join(patterns[:3])}")
        out[split] = found
    return out


def rows_of(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The objects of JSON-lines files. Raises DataError with file and line of a bad one."""
    rows: list[dict[str, Any]] = []
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(Fault(f"is not JSON ({error})", file=str(path), line=number)) from error
            if not isinstance(row, dict):
                raise DataError(Fault("expected an object", file=str(path), line=number))
            rows.append(row)
    return rows


def digest(files: Mapping[str, Sequence[Path]]) -> str:
    """Hash of what the files hold: a result on other content is another result."""
    found = hashlib.sha256()
    for split, paths in sorted(files.items()):
        found.update(split.encode())
        for path in paths:
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]
