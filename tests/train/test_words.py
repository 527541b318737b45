"""Processes that have said their last word end as they should: torch's threads first, then Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_whoever_leaves_ends_torchs_threads_before_python_ends(tmp_path: Path) -> None:
    """Else a thread that lets go of a tensor too late aborts the process, and another machine's torchrun waits 300 s for it."""
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ended = subprocess.run(
        [*line, HERE / "leaving_processes.py", tmp_path],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    for rank in (0, 1):
        joined, left = json.loads((tmp_path / f"threads-{rank}").read_text())
        assert joined > 0
        assert left == 0
