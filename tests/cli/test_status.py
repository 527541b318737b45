from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from commanded import call
from result_samples import write

from dalr_bench.cli.status import command
from dalr_bench.errors import DataError
from dalr_bench.process import boot_id
from dalr_bench.record import waiting
from dalr_bench.record.lease import take
from dalr_bench.record.record import Record
from dalr_bench.record.results import write_summary
from dalr_bench.record.store import begin, finish
from dalr_bench.record.summary import Place, Summary

TINY = Path(__file__).parents[1] / "suites" / "tiny.yaml"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write(tmp_path / "pets")


def output(*arguments: str | Path) -> str:
    done = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


# 1 floor, 3 baselines shared by both teachers, 3 × 2 of +CML and of DALR, 3 × 2 teachers.
def test_the_whole_page(results: Path) -> None:
    begin(results / "teacher-one-0", {})
    held = take(results / "teacher-one-0")
    begin(results / "teacher-one-1", {})
    begin(results / "teacher-one-2", {})
    lease = {"host": socket.gethostname(), "boot": boot_id(), "pid": dead_process(), "born": 1}
    (results / "teacher-one-2" / "lease-1.json").write_text(json.dumps(lease))
    (results / "+CML-one-0" / "record.json").write_text("{")
    assert output(results) == (
        "pets: 22 runs: 11 done, 1 running, 1 stale, 1 failed, 1 interrupted, 1 damaged, 6 missing\n"
        "missing     teacher-two-2\n"
        "missing     teacher-two-1\n"
        "missing     teacher-two-0\n"
        "missing     +CML-two-2\n"
        "missing     +CML-two-1\n"
        "missing     +CML-two-0\n"
        "stale       teacher-one-2\n"
        "interrupted teacher-one-1\n"
        "running     teacher-one-0\n"
        "failed      DALR-one-2: the loss is NaN\n"
        "damaged     +CML-one-0: record.json is damaged or half-written at line 1, column 2: "
        "Expecting property name enclosed in double quotes\n"
    )
    assert held is not None
    held.release()


def test_json(results: Path) -> None:
    data = json.loads(output(results, "--json"))
    assert data["total"] == {"runs": 22, "done": 12, "failed": 1, "missing": 9}
    failed = next(run for run in data["runs"] if run["state"] == "failed")
    assert failed == {
        "id": "DALR-one-2",
        "variant": "DALR",
        "axes": {"teacher": "one"},
        "seed": 2,
        "state": "failed",
        "blocked_by": [],
        "error": "the loss is NaN",
        "seconds": {"train": 8.0, "score": 4.0},
        "estimate": None,
        "origin": None,
    }


def test_it_is_read_anew_each_time(results: Path) -> None:
    finish(results / "+CML-two-0", Record("+CML-two-0", "pets", "+CML", 0))
    assert json.loads(output(results, "--json"))["total"]["done"] == 13


def test_runs_that_others_need_are_told_too(tmp_path: Path) -> None:
    write_summary(tmp_path, Summary("s", variants=("v",), cells=[Place("v", 0, "v-0")]))

    def need(variant: str) -> dict[str, object]:
        return {"variant": variant, "seed": 0, "run_id": f"{variant}-0"}

    begin(tmp_path / "v-0", {"needs": [need("teacher")]})
    held = take(tmp_path / "v-0")
    begin(tmp_path / "teacher-0", {"needs": [need("grandteacher"), need("v")]})
    finish(tmp_path / "teacher-0", Record("teacher-0", "s", "teacher", 0, status="failed", error="NaN"))
    begin(tmp_path / "old-run", {})
    assert output(tmp_path) == (
        "s: 3 runs: 1 running, 1 failed, 1 missing\n"
        "running     v-0\n"
        "failed      teacher-0: NaN\n"
        "missing     grandteacher-0\n"  # v-0, which needs teacher-0, is at work: it is not told to be blocked
    )
    assert held is not None
    held.release()
    named = {run["id"]: run["variant"] for run in json.loads(output(tmp_path, "--json"))["runs"]}
    assert named == {"v-0": "v", "teacher-0": "teacher", "grandteacher-0": "grandteacher"}


def test_runs_that_wait_for_a_failed_one_say_so_in_status_and_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real failure: the text teacher's loss is no number, so what is ranked by it is never begun."""
    suite = tmp_path / "failing.yaml"
    text = TINY.read_text()
    suite.write_text(text.replace("train.steps: 2}", "train.steps: 2, train.lr: 1e38}"))
    assert suite.read_text() != text
    code, _, said = call(capsys, "run", suite, "--results", tmp_path, "--executor", "inline", "--only", "ranked")
    assert code == 1
    assert said.count("] blocked ranked") == 2
    runs = json.loads(output(tmp_path / "tiny", "--json"))["runs"]
    (teacher,) = [run["id"] for run in runs if run["state"] == "failed"]
    waiting = {run["id"]: run for run in runs if run["blocked_by"]}
    assert {run["variant"] for run in waiting.values()} == {"ranked"}
    assert [(run["state"], run["blocked_by"]) for run in waiting.values()] == [("missing", [teacher])] * 2
    lines = output(tmp_path / "tiny").splitlines()
    assert [f"missing     {run}: blocked by {teacher}, which failed" for run in waiting] == [
        line for line in lines if "ranked" in line
    ]
    assert f"not run: blocked by {teacher}, which failed (seeds 0, 1)" in call(capsys, "table", tmp_path / "tiny")[1]


def test_configs_are_opened_until_all_that_is_needed_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two hundred runs that need two others the first config says all; without the summary's word every one is read."""
    cells = [Place("v", seed, f"v-{seed}") for seed in range(200)]
    summary = Summary("s", variants=("v",), cells=cells).to_json()
    needs = [{"variant": name, "seed": 0, "run_id": f"{name}-0"} for name in ("one", "two")]
    for cell in cells:
        (tmp_path / cell.run_id).mkdir()
        (tmp_path / cell.run_id / "config.json").write_text(json.dumps({"needs": needs}))
    opened = []
    read = waiting.read_config
    monkeypatch.setattr(waiting, "read_config", lambda folder: (opened.append(folder), read(folder))[1])

    def told(**more: object) -> tuple[dict[str, object], int]:
        (tmp_path / "suite.json").write_text(json.dumps({**summary, **more}))
        opened.clear()
        return json.loads(output(tmp_path, "--json")), len(opened)

    whole, every = told()
    assert every == 202  # the two themselves as well
    assert [run["id"] for run in whole["runs"][-2:]] == ["one-0", "two-0"]
    assert told(needed=["one-0", "two-0"]) == (whole, 1)
    assert told(needed=["one-0", "two-0", "of a suite before it was changed"]) == (whole, 202)
    assert told(needed=3) == (whole, 202)


@pytest.mark.parametrize("text", ["{", '{"needs": 3}', '{"needs": ["x"]}'])
def test_a_damaged_config_hides_nothing(results: Path, text: str) -> None:
    (results / "DALR-one-2" / "config.json").write_text(text)
    assert json.loads(output(results, "--json"))["total"]["failed"] == 1


def test_an_error_text_cannot_steer_the_terminal(results: Path) -> None:
    record = Record("DALR-one-2", "pets", "DALR", 2, status="failed", error="\x1b[2J\x9bboom\nline")
    finish(results / "DALR-one-2", record)
    text = output(results)
    assert "failed      DALR-one-2:  [2J boom line\n" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("estimate", [3, ["x"], {"seconds": "x"}, {"seconds": None}, {}])
def test_an_estimate_that_is_none_is_passed_over(results: Path, estimate: object) -> None:
    seconds, guess = {"total": 8.0}, {"seconds": 6.0}
    for run, told in (("DALR-one-0", guess), ("DALR-one-1", estimate)):
        finish(results / run, Record(run, "pets", "DALR", 0, seconds=seconds, extra={"estimate": told}))
    assert "1 run took 8 s in all; estimated 6 s\n" in output(results)


def test_no_results(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no results"):
        output(tmp_path)
