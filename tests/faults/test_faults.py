"""Killed, out of room, harmed, in a crowd: whatever happens, the next run ends as one that nobody disturbed.

A few trials here; `nox -s faults` makes all of them (docs/reliability.md has their figures).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lab import build_layer

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None or sys.platform != "linux":
        if os.environ.get("CI"):
            pytest.fail("CI has no C compiler for the layer that makes calls fail")
        pytest.skip("needs Linux and a C compiler for the layer that makes calls fail")
    return build_layer(tmp_path_factory.mktemp("layer"))


def trials(layer: Path, *arguments: str) -> list[dict[str, object]]:
    command = [sys.executable, str(HERE / "drive.py"), *arguments]
    done = subprocess.run(command, env={**os.environ, "LD_PRELOAD": str(layer)}, capture_output=True, text=True)
    print(done.stdout)
    assert done.stdout, done.stderr[-2000:]
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [trial for trial in found if trial.get("wrong")] == [], done.stderr[-2000:]
    assert done.returncode == 0, done.stderr[-2000:]
    return found[1:]


def test_a_few_of_each(layer: Path) -> None:
    found = trials(layer, "kills", "writes", "damage", "crowd", "--count", "6", "4", "1", "3", "--seed", "11")
    assert len(found) == 6 + 4 + 1 + 2


@pytest.mark.slow
def test_fifty_kills(layer: Path) -> None:
    found = trials(layer, "kills", "--count", "50", "--seed", "1")
    stages = {kill["stage"] for trial in found for kill in trial["kills"]}  # type: ignore[attr-defined]
    assert len(found) == 50
    assert stages == {"preparing", "training", "checkpointing", "scoring", "recording"}


@pytest.mark.slow
def test_a_fault_at_every_write(layer: Path) -> None:
    assert len(trials(layer, "writes", "--seed", "1")) > 400


@pytest.mark.slow
def test_every_damage_and_eight_at_once(layer: Path) -> None:
    assert len(trials(layer, "damage", "crowd", "--count", "0", "8", "--seed", "1")) == 8 + 2
