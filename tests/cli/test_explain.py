"""`explain` from the outside."""

from __future__ import annotations

import json
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
ablate: {hot: {losses.info.temperature: 0.5}}
grid: {train.lr: [0.1, 0.2]}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(SUITE)
    (tmp_path / "lines.txt").write_text("one line\nanother line\n")
    return tmp_path


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    shown = capsys.readouterr()
    return int(ended.value.code or 0), shown.out, shown.err


def test_lines_say_where_each_value_comes_from(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(
        capsys, "explain", "s.yaml", "hot", "--seed", "1", "--axis", "train.lr=0.2", "--set", "train.batch=8"
    )
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0].startswith("run hot_lr=0.2-s1-")
    for line in (
        'suite = "small" s.yaml:1:8 (not in the identity)',
        'axes.train.lr = "0.2" s.yaml:9:24 (not in the identity)',
        "seed = 1 s.yaml:2:12",
        "losses.info.temperature = 0.5 s.yaml:8:41",
        "losses.info.weight = 1.0 default",
        "train.lr = 0.2 s.yaml:9:24",
        "train.batch = 8 --set",
        "train.schedule = \"linear\" default",
        f'streams.text.path = "{here}/lines.txt" s.yaml:5:39 (its content is in the identity)',
    ):  # fmt: skip
        assert line in lines


def test_json_names_the_run_of_the_plan(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(call(capsys, "explain", "s.yaml", "hot", "--json")[1])
    plan = json.loads(call(capsys, "plan", "s.yaml", "--json")[1])
    assert found["run_id"] == plan["runs"][0]["id"]
    assert found["run_id"].endswith(found["identity"][:10])
    assert found["config"]["losses"]["info"]["options"]["temperature"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["hto"], "error: no variant is called 'hto'. Did you mean 'hot'? Known: hot."),
        (["hot", "--axis", "lr=0.1"], "error: there is no axis 'lr'. Known: train.lr."),
        (["hot", "--axis", "train.lr"], "Error: Invalid value for --axis: 'train.lr' is not NAME=VALUE"),
    ],
)
def test_faults(here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str) -> None:
    code, out, err = call(capsys, "explain", "s.yaml", *arguments)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == line
