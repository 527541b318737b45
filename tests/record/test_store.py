from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dalr_bench.errors import DataError
from dalr_bench.process import place
from dalr_bench.record.events import read_events
from dalr_bench.record.lease import take
from dalr_bench.record.record import Record
from dalr_bench.record.store import begin, claim, finish, read_config, read_record, state
from dalr_bench.types import Score

DONE = Record("r", "s", "v", 0, scores=(Score("x", "m", 0.5, 1),))


def test_a_run_from_begin_to_finish(tmp_path: Path) -> None:
    assert state(tmp_path) == "missing"
    lease = take(tmp_path)
    assert lease is not None
    begin(tmp_path, {"seed": 0})
    assert state(tmp_path) == "running"
    assert read_record(tmp_path) is None
    finish(tmp_path, DONE)
    lease.release()
    assert state(tmp_path) == "done"
    assert read_record(tmp_path) == DONE
    assert read_config(tmp_path) == {"seed": 0}
    assert json.loads((tmp_path / "scores.json").read_text()) == {"scores": DONE.to_json()["scores"]}
    files = ["config.json", "events.jsonl", "record.json", "scores.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    assert [event["event"] for event in read_events(tmp_path)] == ["started", "done"]


def test_the_record_is_the_last_document(tmp_path: Path) -> None:
    begin(tmp_path, {})
    finish(tmp_path, DONE)
    assert (tmp_path / "record.json").stat().st_mtime_ns >= (tmp_path / "scores.json").stat().st_mtime_ns


def test_a_new_try_forgets_the_old_record(tmp_path: Path) -> None:
    begin(tmp_path, {})
    finish(tmp_path, Record("r", "s", "v", 0, status="failed", error="NaN"))
    assert state(tmp_path) == "failed"
    begin(tmp_path, {})
    assert read_record(tmp_path) is None
    told = [(event["event"], event.get("error")) for event in read_events(tmp_path)]
    assert told == [("started", None), ("failed", "NaN"), ("started", None)]


def test_who_left_and_who_was_killed(tmp_path: Path) -> None:
    lease = take(tmp_path)
    assert lease is not None
    begin(tmp_path, {})
    lease.release(keep_number=True)
    assert state(tmp_path) == "interrupted"
    again = take(tmp_path)
    assert again is not None
    assert state(tmp_path) == "running"
    document = json.loads(again.path.read_text())
    again.path.write_text(json.dumps({**document, "born": 1}))  # the same number, another process
    assert state(tmp_path) == "stale"


def test_begin_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    begin(tmp_path, {})
    for pid in (dead.pid, os.getpid()):
        (tmp_path / f".x.{place()}.{pid}.0123abcd.part").write_text("half")
    (tmp_path / ".x.0000ffff.1.0123abcd.part").write_text("another machine's, and young")
    (tmp_path / "mine.part").write_text("no name of ours")
    begin(tmp_path, {})
    left = sorted(path.name for path in tmp_path.glob("*.part"))
    assert left == [".x.0000ffff.1.0123abcd.part", f".x.{place()}.{os.getpid()}.0123abcd.part", "mine.part"]


@pytest.mark.parametrize("cut", [0, 1, 50, -3])
def test_a_half_written_record_is_damaged_and_never_done(tmp_path: Path, cut: int) -> None:
    finish(tmp_path, DONE)
    whole = (tmp_path / "record.json").read_bytes()
    (tmp_path / "record.json").write_bytes(whole[:cut])
    found = read_record(tmp_path)
    assert found is not None
    assert (found.status, found.run_id) == ("damaged", tmp_path.name)
    assert "record.json is damaged or half-written at line" in (found.error or "")
    assert state(tmp_path) == "damaged"


def test_a_record_of_another_shape_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text('{"schema": 99}')
    found = read_record(tmp_path)
    assert found is not None
    assert (found.status, found.error) == ("damaged", "schema 99 is unknown here; this version reads 1")


def test_a_folder_in_its_place_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "record.json").mkdir()
    found = read_record(tmp_path)
    assert found is not None
    assert found.status == "damaged"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no config.json"),
        ("{", "half-written"),
        ("[]", "a config is an object"),
        ('{"backbone": {"name": {}, "options": {}}}', "backbone.name: Input should be a valid string"),
        ('{"losses": {"a": {"name": "b"}}}', "losses.a.options: Field required"),
        ('{"evaluate": {}}', "evaluate: Input should be a valid list"),
    ],
)
def test_a_config_that_cannot_be_read(tmp_path: Path, text: str | None, reason: str) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(DataError, match=reason):
        read_config(tmp_path)


def test_a_run_folder_is_written_by_name_and_never_through_a_link(tmp_path: Path) -> None:
    elsewhere, run = tmp_path / "elsewhere", tmp_path / "run"
    (elsewhere / "kept").mkdir(parents=True)
    (run / "checkpoints").mkdir(parents=True)
    for link, target in (("model", "kept"), ("steps.jsonl", "kept.txt"), ("checkpoints/3", "kept")):
        (run / link).symlink_to(elsewhere / target)
    claim(run)
    assert [path.name for path in run.rglob("*")] == ["checkpoints"]
    assert (elsewhere / "kept").is_dir()
    claim(tmp_path / "not there yet")
    (tmp_path / "link").symlink_to(run)
    (run / "config.json").mkdir()
    for wrong in (run, tmp_path / "link"):
        with pytest.raises(DataError, match=wrong.name):
            claim(wrong)
    (run / "config.json").rmdir()
    (run / "predictions").write_text("a file")
    with pytest.raises(DataError, match="predictions"):
        claim(run)
