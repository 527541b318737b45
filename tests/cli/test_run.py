"""`dalr-bench run`: a suite in, records and a table out; resumed, retried, the same everywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from commanded import call, outcome, records

from dalr_bench.cli.main import main
from dalr_bench.train import weights

TINY = Path(__file__).parents[1] / "suites" / "tiny.yaml"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _shared_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One cache for this file: what stores hold is not what is tested here.
    monkeypatch.setenv("DALR_BENCH_CACHE", str(cache))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DALR_BENCH_CACHE", str(cache))
        with pytest.raises(SystemExit) as left:
            main(["run", str(TINY), "--results", str(results), "--executor", "inline"])
    assert left.value.code == 0
    return results


def test_every_cell_has_its_record_and_the_folder_its_files(done: Path) -> None:
    found = records(done)
    assert len(found) == 8  # three variants × two seeds, two teachers
    assert {record["status"] for record in found.values()} == {"done"}
    for name, record in found.items():
        folder = done / "tiny" / name
        assert record["run_id"] == name
        assert {path.name for path in folder.iterdir()} >= {
            "config.json",
            "steps.jsonl",
            "scores.json",
            "record.json",
            "model",
            "predictions",
        }
        assert not [
            path
            for path in folder.rglob("*")
            if path.suffix in (".bin", ".pt", ".pkl") or ".tmp" in path.name or path.name.startswith(".")
        ]
        assert json.loads((folder / "scores.json").read_text())["scores"] == record["scores"]
        assert {"prepare", "total"} <= set(record["seconds"])
    ranked = next(record for name, record in found.items() if record["variant"] == "ranked")
    steps = [json.loads(line) for line in (done / "tiny" / ranked["run_id"] / "steps.jsonl").read_text().splitlines()]
    assert [line["step"] for line in steps] == [1, 2, 3, 4]
    assert {"loss", "info", "grounding", "listmle", "cma", "grad_norm", "rate", "seconds"} <= set(steps[0])
    weighted = steps[0]["info"] + 0.3 * steps[0]["grounding"] + 0.1 * (steps[0]["listmle"] + steps[0]["cma"])
    assert steps[0]["loss"] == pytest.approx(weighted, rel=1e-5)


def test_where_values_were_written_lies_beside_the_summary(done: Path) -> None:
    document = json.loads((done / "tiny" / "origins.json").read_text())
    assert set(document["runs"]) == set(records(done))
    run = next(name for name in document["runs"] if name.startswith("ranked"))
    told = document["origins"][document["runs"][run]]
    line = next(n for n, text in enumerate(TINY.read_text().splitlines(), 1) if "losses.listmle" in text)
    assert told["losses.listmle.weight"].startswith(f"{TINY}:{line}:")
    assert told["train.weight_decay"] == "default"


def test_the_grid_is_a_graph(done: Path) -> None:
    found = records(done)
    teacher = next(name for name, record in found.items() if record["variant"] == "text teacher")
    config = json.loads(next((done / "tiny").glob("ranked*/config.json")).read_text())
    assert teacher in {need["run_id"] for need in config["needs"]}


def test_running_again_does_nothing_and_at_once(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.glob("*/*/record.json")}
    started = time.perf_counter()
    code, out, err = call(capsys, "run", TINY, "--results", done)
    assert time.perf_counter() - started < 3
    assert code == 0
    assert "8 done before" in err
    assert "ranked" in out
    assert {path: path.stat().st_mtime_ns for path in done.glob("*/*/record.json")} == before


def test_twice_gives_equal_records_and_workers_equal_this_process(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = call(capsys, "run", TINY, "--results", tmp_path, "--executor", "local", "--jobs", "2")
    assert code == 0, err
    first, second = records(done), records(tmp_path)
    assert {name: outcome(record) for name, record in first.items()} == {
        name: outcome(record) for name, record in second.items()
    }
    assert "[8/8] done" in err
    assert "left)" in err


def test_looking_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--only", "ranked", "--seed", "0", "--executor", "inline", "--set", "train.keep=last"]
    blind = ["--set", "train.dev=null", "--set", "evaluate=[]", "--set", "train.log_every=99"]
    digests = []
    for name, extra in (("looked", []), ("blind", blind)):
        code, _, err = call(capsys, "run", TINY, "--results", tmp_path / name, *settings, *extra)
        assert code == 0, err
        digests.append(weights.digest(next((tmp_path / name / "tiny").glob("ranked*"))))
    assert digests[0] == digests[1]


def test_a_failed_run_blocks_what_needs_it_is_told_and_tried_again(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(done, tmp_path / "r")
    teacher = next(path for path in (tmp_path / "r" / "tiny").glob("text_teacher*"))
    record = json.loads((teacher / "record.json").read_text())
    (teacher / "record.json").write_text(
        json.dumps({**record, "status": "failed", "error": "the power went", "scores": []})
    )
    gone = next(path for path in (tmp_path / "r" / "tiny").glob("ranked*-s0-*"))
    (gone / "record.json").unlink()
    code, out, _ = call(capsys, "run", TINY, "--results", tmp_path / "r", "--executor", "inline")
    assert code == 0
    again = records(tmp_path / "r")
    assert outcome(again[teacher.name]) == outcome(record)
    assert len(again) == 8
    assert "ranked" in out


def test_what_fails_is_recorded_and_the_rest_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = tmp_path / "bad.yaml"
    suite.write_text(f"extends: {TINY}\nsuite: bad\nseeds: [0]\nablate: {{explodes: {{train.lr: 1e30}}}}\n")
    code, out, err = call(capsys, "run", suite, "--results", tmp_path, "--executor", "inline")
    assert code == 1
    failed = [record for record in records(tmp_path).values() if record["status"] == "failed"]
    assert [record["variant"] for record in failed] == ["explodes"]
    assert "not finite: " in failed[0]["error"]
    assert failed[0]["scores"] == []
    assert "1 failed of 6 runs" in err
    assert "Traceback" not in err
    assert "explodes" in out


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("losses: {info: {name: infonec}}", 3, "no loss is called 'infonec'. Did you mean 'infonce'?"),
        ("losses: {info: {temprature: 0.1}}", 2, "Did you mean 'temperature'?"),
        ("losses: {info: {temperature: -1}}", 2, "greater than 0"),
        ("train: {steps: many}", 2, "integer"),
        ("streams: {pairs: {name: lines, path: nowhere.txt}}", 4, "nowhere.txt"),
        ("train: {dev: {name: scenes, split: test}}", 2, "dev"),
    ],
)
def test_bad_input_gets_one_line_and_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, code: int, message: str
) -> None:
    suite = tmp_path / "bad.yaml"
    suite.write_text(f"extends: {TINY}\nsuite: bad\nbase:\n  {line}\n")
    got, out, err = call(capsys, "run", suite, "--results", tmp_path / "results")
    assert got == code
    assert message in err
    assert f"{suite}:4:" in err
    assert "Traceback" not in err + out
    assert not (tmp_path / "results").exists()


def test_a_missing_suite_and_a_wrong_command_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "run", tmp_path / "none.yaml")[0] == 2
    code, _, err = call(capsys, "rnu")
    assert code == 2
    assert "Did you mean 'run'?" in err


def test_an_unknown_executor_names_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "run", TINY, "--results", tmp_path, "--executor", "clould")
    assert code == 3
    assert "Known: inline, local" in err
    code, _, err = call(capsys, "run", TINY, "--results", tmp_path, "--executor", "local:per_gpus=2")
    assert code == 2
    assert "--executor local.per_gpus: executor 'local' has no such option. Did you mean 'per_gpu'?" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
@pytest.mark.parametrize("executor", ["inline", "local", "torchrun"])
def test_a_device_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], executor: str) -> None:
    code, out, err = call(capsys, "run", TINY, "--results", tmp_path, "--executor", executor, "--device", "cuda")
    assert (code, out) == (5, "")
    assert err.splitlines()[1:] == ["error: --device cuda: no CUDA device is visible to torch; use --device auto or cpu"]


SMALL = """suite: small
seeds: [0]
base:
  backbone: {name: hf, layers: 1, hidden: 16, heads: 2, feed_forward: 16, vocabulary_size: 300}
  streams: {text: %s}
  losses: {info: {name: infonce}}
  train: {steps: 2, batch: 2, lr: %s}
  evaluate: []
ablate: {baseline: {}}
"""


@pytest.mark.parametrize(
    ("source", "files", "lr", "code", "message"),
    [
        ("{name: lines, path: empty.txt}", {"empty.txt": ""}, "1e-3", 4, "empty.txt"),
        ("{name: lines, path: gap.txt}", {"gap.txt": "one\n\ntwo\n"}, "1e-3", 4, "gap.txt:2"),
        (
            "{name: captions, root: album}",
            {"album/captions.jsonl": '{"image": "gone.jpg", "captions": ["a dog"]}\n'},
            "1e-3",
            4,
            "gone.jpg",
        ),
        ("{name: lines, path: fine.txt}", {"fine.txt": "one\ntwo\nthree\nfour\n"}, "1e30", 5, "not finite"),
    ],
    ids=["empty file", "blank line", "caption without its photo", "diverged"],
)
def test_what_stops_every_run_gives_its_own_exit_code(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    source: str,
    files: dict[str, str],
    lr: str,
    code: int,
    message: str,
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    suite = tmp_path / "small.yaml"
    suite.write_text(SMALL % (source, lr))
    got, out, err = call(capsys, "run", suite, "--results", tmp_path / "results", "--executor", "inline")
    assert (got, message in err) == (code, True), err
    assert "Traceback" not in err + out
    (record,) = records(tmp_path / "results").values()
    assert record["status"] == "failed"
    assert record["exit_code"] == code


def test_an_interrupt_keeps_what_was_done_and_leaves_nobody_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = ["--only", "baseline", "--seed", "0", "--set", "train.steps=100000"]
    command = [
        sys.executable,
        "-m",
        "dalr_bench",
        "run",
        str(TINY),
        "--results",
        str(tmp_path),
        "--executor",
        "local",
        "--jobs",
        "1",
        *long,
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    with process.stderr:
        for line in process.stderr:
            if "[1/2] done" in line:
                break
        else:
            pytest.fail("no run finished")
        process.terminate()
        said = process.stderr.read()
    assert process.wait(timeout=30) == 130
    assert "interrupted: what was done is kept" in said
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert {record["variant"] for record in records(tmp_path).values()} == {"picture teacher"}
    code, _, err = call(
        capsys, "run", TINY, "--results", tmp_path, "--only", "baseline", "--seed", "0", "--executor", "inline"
    )
    assert code == 0
    assert "1 done before" in err


def test_runs_that_share_no_table_are_done_all_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = tmp_path / "apart.yaml"
    suite.write_text(f"""extends: {TINY}
suite: apart
seeds: [0]
ablate:
  baseline: null
  ranked: null
  more: {{train.steps: 0, losses: null, teachers: null, evaluate: [{{name: scenes, pairs: 70, probes: false}}]}}
""")
    with pytest.raises(SystemExit) as left:
        main(["run", str(suite), "--results", str(tmp_path), "--executor", "inline"])
    told = capsys.readouterr()
    assert left.value.code == 0
    assert told.out == ""
    assert "no table: Scenes-STS: two protocols in one column" in told.err
