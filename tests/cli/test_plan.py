"""`plan` from the outside: what it prints, how fast, and what it never imports."""

# ruff: noqa: E501 (suites and whole lines of output are compared as they are)

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dalr_bench.cli.main import main

SUITE = """\
suite: small
seeds: [0, 1]
base:
  backbone: bag_of_words
  streams: {text: {name: lines, path: lines.txt}}
  losses: {info: infonce}
  train: {steps: 5}
ablate:
  plain: {}
  hot: {losses.info.temperature: 0.5}
  same: {}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DALR_BENCH_DATA", raising=False)
    (tmp_path / "s.yaml").write_text(SUITE)
    (tmp_path / "lines.txt").write_text("one line\nanother line\n")
    return tmp_path


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    shown = capsys.readouterr()
    return int(ended.value.code or 0), shown.out, shown.err


def test_plain_lines(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "plan", "s.yaml")
    lines = out.splitlines()
    assert (code, err, len(lines)) == (0, "", 7)
    assert [line.split("-s")[0] for line in lines[:4]] == ["missing   plain"] * 2 + ["missing   hot"] * 2
    assert lines[4].startswith("duplicate plain-s0-")
    assert lines[4].endswith("(same, seed 0 is the same run)")
    assert lines[6] == "small: 4 runs (4 missing, 2 duplicate); 20 steps to do, time unknown"


def test_json_and_states_from_the_run_folders(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [run["id"] for run in json.loads(call(capsys, "plan", "s.yaml", "--json")[1])["runs"]]
    record = {
        "schema": 1,
        "suite": "small",
        "variant": "plain",
        "axes": {},
        "seed": 0,
        "error": None,
        "scores": [],
        "environment": {},
        "steps": 5,
    }
    for name, status, seconds in (
        (ids[0], "done", {"prepare": 2.0, "train": 7.0, "other": 1.0, "total": 10.0}),
        (ids[1], "failed", {}),
        (ids[2], "dne", {}),
    ):
        folder = here / "results" / "small" / name
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(
            json.dumps({**record, "run_id": name, "status": status, "seconds": seconds})
        )
    code, out, err = call(capsys, "plan", "s.yaml", "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert [run["state"] for run in document["runs"]] == [
        "done",
        "failed",
        "failed",
        "missing",
        "duplicate",
        "duplicate",
    ]
    disk = (here / "results" / "small" / ids[0] / "record.json").stat().st_size
    assert document["runs"][3]["estimate"] == {
        "steps": 5, "seconds": 10.0, "memory_bytes": None, "disk_bytes": disk, "source": "recorded",
    }  # fmt: skip
    assert document["total"]["seconds"] == 30.0


def test_selectors(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = call(capsys, "plan", "s.yaml", "--only", "h*", "--seed", "1", "--set", "train.steps=7", "--json")[1]
    (run,) = json.loads(out)["runs"]
    assert (run["variant"], run["seed"], run["estimate"]["steps"]) == ("hot", 1, 7)


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("steps: 5", "stesp: 5", 2, "error: s.yaml:7:11 train.stesp: there is no such key here. Did you mean 'steps'?"),
        ("bag_of_words", "bag_of_wrods", 3, "error: s.yaml:4:13 backbone.name: no backbone is called 'bag_of_wrods'. Did you mean 'bag_of_words'?"),
        ("lines.txt", "nolines.txt", 4, "error: s.yaml:5:39 streams.text.path: there is no file or folder 'nolines.txt'"),
        ("plain: {}", "plain: !x {}", 2, "error: s.yaml:9:10: tags are not read ('!x')"),
    ],
)  # fmt: skip
def test_a_fault_is_one_line_and_its_exit_code(
    here: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, code: int, line: str
) -> None:
    (here / "s.yaml").write_text(SUITE.replace(old, new))
    found, out, err = call(capsys, "plan", "s.yaml")
    assert (found, out) == (code, "")
    assert err.splitlines()[0].startswith(line)
    assert "Traceback" not in err


def test_a_missing_suite(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "plan", "none.yaml") == (2, "", "error: none.yaml: there is no such file\n")


def process_seconds(arguments: list[str], folder: Path) -> float:
    """CPU seconds of a whole process, start included: what the wall clock shows on a machine with nothing else to do."""
    code = (
        "import sys, time\nfrom dalr_bench.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n"
        "    heavy = {'torch', 'pandas', 'transformers'} & {m for m, v in sys.modules.items() if type(v).__name__ == 'module'}\n"
        "    print(time.process_time(), *heavy, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    seconds, *heavy = done.stderr.splitlines()[-1].split()
    assert not heavy
    return float(seconds)


def test_help_is_instant(here: Path) -> None:
    assert min(process_seconds(["plan", "--help"], here) for _ in range(3)) < 0.3


@pytest.mark.parametrize(("temperatures", "seeds", "seconds"), [(100, 10, 1.0), (1000, 10, 5.0)])
def test_plans_of_many_runs(here: Path, temperatures: int, seeds: int, seconds: float) -> None:
    values = ", ".join(f"{(i + 1) / 1000}" for i in range(temperatures))
    head = SUITE.partition("ablate:")[0].replace("[0, 1]", str(list(range(seeds))))
    (here / "s.yaml").write_text(head + f"grid: {{losses.info.temperature: [{values}]}}\n")
    counted = json.loads(
        subprocess.run(
            [sys.executable, "-m", "dalr_bench", "plan", "s.yaml", "--json"], cwd=here, capture_output=True, check=True
        ).stdout
    )
    assert counted["total"]["runs"] == len({run["id"] for run in counted["runs"]}) == temperatures * seeds
    assert min(process_seconds(["plan", "s.yaml"], here) for _ in range(2)) < seconds
