"""Why two runs differ, from one suite and from two run folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dalr_bench.cli.main import main
from dalr_bench.record.files import write_json

SUITE = """\
suite: small
base:
  backbone: {name: hf, layers: 1, hidden: 16, heads: 2, feed_forward: 16}
  streams: {text: {name: lines, path: lines.txt}}
  losses: {info: infonce}
  train: {steps: 5}
ablate:
  plain: {}
  same: {}
  faster: {train: {lr: 1e-4, log_every: 3}}
  hot: {losses.info.temperature: 0.5}
  local: {backbone: {name: hf, model: here/model}}
  moved: {backbone: {name: hf, model: there/model}}
  tuned: {backbone: {name: hf, model: tuned/model}}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(SUITE)
    (tmp_path / "lines.txt").write_text("one line\nanother line\n")
    for name, weights in (("here", b"weights"), ("there", b"weights"), ("tuned", b"weightS")):
        folder = tmp_path / name / "model"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "README.md").write_text(f"a card of {name}")
        (folder / "model.safetensors").write_bytes(weights)
    return tmp_path


def explain(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as left:
        main(["explain", *arguments])
    assert not left.value.code
    return capsys.readouterr().out


def test_values_that_count_and_values_that_do_not(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(explain(capsys, "s.yaml", "plain", "--against", "hot", "--json"))
    (only,) = found["differences"]
    assert only == {"path": "losses.info.temperature", "a": 0.05, "b": 0.5, "absent": [], "counts": True}
    assert found["equal"] is False
    told = explain(capsys, "s.yaml", "plain", "--against", "faster").splitlines()
    assert told[1:] == ["  train.lr: 3e-05 → 0.0001", "  train.log_every: 10 → 3  (not in the identity)"]
    assert explain(capsys, "s.yaml", "plain", "--against", "same").endswith("one identity: equal runs, computed once\n")


def test_a_local_model_is_its_weights_not_its_place(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = {
        name: json.loads(explain(capsys, "s.yaml", name, "--json"))["identity"] for name in ("local", "moved", "tuned")
    }
    assert ids["local"] == ids["moved"]
    assert ids["local"] != ids["tuned"]
    assert "(its content is in the identity)" in explain(capsys, "s.yaml", "local")
    (here / "here" / "model" / "model.safetensors").write_bytes(b"trained on")
    assert json.loads(explain(capsys, "s.yaml", "local", "--json"))["identity"] not in ids.values()


def test_two_run_folders(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, rate, logged in (("a", 1e-3, 10), ("b", 2e-3, 20)):
        train = {"lr": rate, "log_every": logged, "betas": [0.9, 0.999]}
        write_json(here / name / "config.json", {"variant": name, "seed": 0, "train": train, "identity": name})
    told = explain(capsys, "a", "--against", "b").splitlines()
    assert told[:2] == ["a against b", "  train.lr: 0.001 → 0.002"]
    assert set(told[2:]) == {
        '  variant: "a" → "b"  (not in the identity)',
        "  train.log_every: 10 → 20  (not in the identity)",
    }


def test_a_folder_needs_another(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["explain", "here"])
    assert left.value.code == 2
    assert "--against FOLDER" in capsys.readouterr().err
