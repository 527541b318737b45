"""Torchrun's processes end as the one that ended first."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(("last", "code"), [("sys.exit(12)", 12), ("os.kill(os.getpid(), 9)", -9)])
def test_the_first_failure_is_told(last: str, code: int) -> None:
    wait = "if os.environ['RANK'] == '0':\n    time.sleep(60)"
    program = f"import os, sys, time\n{wait}\nprint('it fails', file=sys.stderr)\n{last}"
    line = [sys.executable, "-m", "dalr_bench_plugins.workers.ranks", "2", "-c", program]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert done.returncode == code
    assert done.stderr.strip().splitlines()[-1] == "it fails"
