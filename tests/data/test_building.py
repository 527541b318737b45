"""A table that could not be written leaves nothing half-written, and what a killed process left is swept."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dalr_bench.data.building import Build
from dalr_bench.data.shards import complete
from dalr_bench.orphans import part_path


def rows(first: int, last: int) -> tuple[np.ndarray[Any, Any], dict[str, Any]]:
    return np.arange(2 * first, 2 * last, dtype=np.float32).reshape(-1, 2), {}


def build(folder: Path) -> None:
    Build(folder, items=10, size=4, meta={}).run([rows])


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("fails_at", range(1, 8))
def test_a_full_disk_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, fails_at: int
) -> None:
    """Three shards with a note each and the table's own file: seven writes, any of which may fail."""
    owner, count = {"fsync": os, "replace": Path}[call], 0
    real = getattr(owner, call)

    def failing(*given: Any) -> Any:
        nonlocal count
        count += 1
        if count == fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*given)

    folder = tmp_path / "table"
    with monkeypatch.context() as patch:
        patch.setattr(owner, call, failing)
        with pytest.raises(OSError, match="No space"):
            build(folder)
    assert [path.name for path in tmp_path.rglob("*.part*")] == []
    assert complete(folder) is None
    build(folder)
    assert (complete(folder) or {})["rows"] == 10


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    mine = part_path(tmp_path / "shard-00000.npy")
    gone = mine.with_name(mine.name.replace(f".{os.getpid()}.", ".999999999."))
    for path in (mine, gone):
        path.write_bytes(b"half")
    build(tmp_path)
    assert (mine.exists(), gone.exists()) == (True, False)
