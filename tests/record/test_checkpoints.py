"""Checkpoints on disk: whole or not at all, two of them, and what is damaged is told and not used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dalr_bench.record.checkpoints import clear_checkpoints, newest_checkpoint, steps, write_checkpoint


def fill(text: str) -> object:
    def files(folder: Path) -> None:
        (folder / "weights").write_text(text * 100)
        (folder / "state").write_text(text)

    return files


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for step in (10, 20, 30):
        write_checkpoint(tmp_path, step, lambda folder, step=step: fill(f"{step}")(folder))  # type: ignore[operator]
    return tmp_path


def test_the_newest_and_one_before_it_stay(run: Path) -> None:
    told: list[str] = []
    assert steps(run) == [30, 20]
    assert newest_checkpoint(run, told.append) == (30, run / "checkpoints" / "000000030")
    assert not told
    manifest = json.loads((run / "checkpoints" / "000000030" / "manifest.json").read_text())
    assert {name: entry["size"] for name, entry in manifest["files"].items()} == {"state": 2, "weights": 200}


def test_nothing_there_is_nothing(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path, print) is None
    (tmp_path / "checkpoints").write_text("a file")
    assert newest_checkpoint(tmp_path, print) is None


def truncate(folder: Path) -> None:
    (folder / "weights").write_bytes((folder / "weights").read_bytes()[:-1])


def flip(folder: Path) -> None:
    data = bytearray((folder / "weights").read_bytes())
    data[57] ^= 4
    (folder / "weights").write_bytes(data)


def half_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_bytes((folder / "manifest.json").read_bytes()[:40])


DAMAGE = {
    "truncated": (truncate, "weights has 199 bytes, not 200"),
    "bit-flipped": (flip, "weights is not what was written (sha256)"),
    "missing": (lambda folder: (folder / "state").unlink(), "state is missing"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "manifest.json is missing"),
    "half a manifest": (half_manifest, "manifest.json cannot be read"),
    "another document": (lambda folder: (folder / "manifest.json").write_text("[]"), "manifest.json cannot be read"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_damaged_is_told_in_one_line_and_the_older_one_is_used(run: Path, name: str) -> None:
    damage, reason = DAMAGE[name]
    told: list[str] = []
    damage(run / "checkpoints" / "000000030")
    found = newest_checkpoint(run, told.append)
    assert found is not None
    assert (found[0], (found[1] / "state").read_text()) == (20, "20")
    assert len(told) == 1
    assert told[0].startswith(f"checkpoint of step 30 is not used: {reason}")
    assert "\n" not in told[0]
    # A whole one written later counts again, and the damaged one takes no place of it.
    write_checkpoint(run, 25, lambda folder: (folder / "x").touch())
    assert steps(run) == [25, 20]


def test_both_damaged_is_a_new_start(run: Path) -> None:
    told: list[str] = []
    for step in (20, 30):
        flip(run / "checkpoints" / f"{step:09d}")
    assert newest_checkpoint(run, told.append) is None
    assert len(told) == 2


def test_a_write_that_fails_leaves_the_older_ones(run: Path) -> None:
    def full(folder: Path) -> None:
        (folder / "weights").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_checkpoint(run, 40, full)
    assert steps(run) == [30, 20]
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["000000020", "000000030"]


def test_the_same_step_again_replaces(run: Path) -> None:
    write_checkpoint(run, 30, lambda folder: (folder / "state").write_text("new"))
    found = newest_checkpoint(run, print)
    assert found is not None
    assert (found[1] / "state").read_text() == "new"
    clear_checkpoints(run)
    assert not (run / "checkpoints").exists()
