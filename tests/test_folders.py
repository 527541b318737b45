"""Before the first run: what a killed process left of a run that is done goes; tight disks are told; configs stay as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dalr_bench import folders
from dalr_bench.folders import lay_out, room
from dalr_bench.plugin.manager import load as load_plugins
from dalr_bench.process import boot_id, myself, place
from dalr_bench.record.record import Record
from dalr_bench.record.store import begin, finish
from dalr_bench.suite import Plan, expand, load

SUITE = Path(__file__).parent / "faults" / "suite.yaml"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return expand(load(str(SUITE)), load_plugins().catalogue)


def done(results: Path, run_id: str, weights: int = 100) -> Path:
    folder = results / run_id
    begin(folder, {})
    finish(folder, Record(run_id, "faults", "v", 0))
    (folder / "weights.safetensors").write_bytes(b"x" * weights)
    return folder


def test_what_a_process_left_that_died_after_the_record_goes(plan: Plan, tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    student = done(tmp_path, plan.runs[-1].id)
    (student / "scored").mkdir()
    (student / "checkpoints" / "000000002").mkdir(parents=True)
    (student / f".record.json.{place()}.{dead.pid}.0123abcd.part").write_text("half")
    lease = {**myself(), "boot": boot_id(), "pid": dead.pid}
    (student / "lease-1.json").write_text(json.dumps(lease))
    suite_part = tmp_path / f".suite.json.{place()}.{dead.pid}.0123abcd.part"
    suite_part.write_text("half")
    todo = lay_out(plan, plan, tmp_path)
    assert [run.id for run in todo] == [plan.runs[0].id]
    files = {"config.json", "events.jsonl", "record.json", "scores.json", "weights.safetensors"}
    assert {path.name for path in student.iterdir()} == files
    assert not suite_part.exists()


def test_who_is_at_work_is_left_alone(plan: Plan, tmp_path: Path) -> None:
    student = done(tmp_path, plan.runs[-1].id)
    (student / "scored").mkdir()
    (student / "lease-1.json").write_text(json.dumps(myself()))
    lay_out(plan, plan, tmp_path)
    assert (student / "scored").is_dir()
    assert (student / "lease-1.json").is_file()


def test_a_checkpoint_that_was_kept_on_purpose_stays(plan: Plan, tmp_path: Path) -> None:
    student = done(tmp_path, plan.runs[-1].id)
    (student / "checkpoints" / "000000002").mkdir(parents=True)
    lay_out(plan, plan, tmp_path)
    assert (student / "checkpoints" / "000000002").is_dir()


def test_an_equal_config_is_not_written_again(plan: Plan, tmp_path: Path) -> None:
    lay_out(plan, plan, tmp_path)
    paths = [tmp_path / run.id / "config.json" for run in plan.runs]
    before = [path.stat().st_ino for path in paths]
    os.truncate(paths[0], 10)
    lay_out(plan, plan, tmp_path)
    assert [path.stat().st_ino == old for path, old in zip(paths, before, strict=True)] == [False, True]
    assert json.loads(paths[0].read_text()) == dict(plan.runs[0].config)


def test_a_tight_disk_is_told_before_the_first_run(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher, student = plan.runs
    assert room(tmp_path, [], [teacher, student]) is None  # nothing to go by
    done(tmp_path, teacher.id, weights=3000)
    monkeypatch.setattr(folders, "free_bytes", lambda folder: 6000)
    assert room(tmp_path, [teacher], [student]) is None
    monkeypatch.setattr(folders, "free_bytes", lambda folder: 5999)
    told = room(tmp_path, [teacher], [student])
    assert told == "1 run will leave about 6.0 kB, 6.0 kB are free (--retain none keeps no weights)"
