"""`dalr-bench prefetch` from the outside: with nothing, with a full cache, with a hub that answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_hub import fill_cache, serve

from dalr_bench.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
SUITES = ROOT / "suites"
FULL = {
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "vocab.txt": b"[PAD]\n",
    "pytorch_model.bin": b"a pickle",
    "onnx/model.onnx": b"not wanted",
}
SUITE = """\
suite: small
base:
  backbone: {name: hf, model: org/student}
  streams: {text: {name: lines, path: DATA}}
  teachers: {rank: {name: hf_text, model: org/teacher, revision: v1}}
  losses: {info: infonce, listmle: {name: listmle, teacher: rank}}
  train: {steps: 5}
  evaluate: []
ablate: {with: {}, without: {losses.listmle: null}}
smoke: {base: {backbone: {model: null}}}
"""


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["prefetch", *map(str, arguments)])
    captured = capsys.readouterr()
    return int(left.value.code or 0), captured.out, captured.err


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(SUITE.replace("DATA", "sentences.txt"))
    return tmp_path / "small.yaml"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_what_is_missing_and_what_to_do(suite: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, suite, "--offline")
    assert (code, err) == (4, "")
    lines = out.splitlines()
    assert lines[0] == "missing  model     org/student  for backbone"
    assert lines[1].strip() == "neither a folder nor whole in the hub's cache; the network was not asked (offline)"
    assert lines[3] == f"missing  data      {suite.parent}/sentences.txt  for streams.text"
    assert "there is no file or folder 'sentences.txt'; looked for" in lines[4]
    assert "datasets-for-simcse" in lines[5]
    assert lines[6] == "missing  model     org/teacher at v1  for teachers.rank"
    assert lines[-1] == "small: 3 needed; 3 missing"


def test_all_there(suite: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (suite.parent / "sentences.txt").write_text("One.\nTwo.\n")
    fill_cache(cache, "org/student", FULL)
    code, out, _ = call(capsys, suite, "--only", "without")
    assert code == 0
    assert out.splitlines()[0] == "there    model     org/student  (hub cache)  for backbone"
    assert out.splitlines()[-1] == "small: 2 needed; 2 there"


def test_json_is_one_document(suite: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, suite, "--offline", "--json", "--smoke")
    document = json.loads(out)
    assert code == 4
    assert (document["suite"], document["missing"]) == ("small", 2)
    assert [item["name"] for item in document["requirements"]] == [f"{suite.parent}/sentences.txt", "org/teacher"]
    assert all(item["state"] == "missing" and item["why"] for item in document["requirements"])


def test_set_and_only_and_faults(suite: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, suite, "--offline", "--set", "backbone.model=org/other", "--only", "without")
    assert code == 4
    assert "org/other" in out
    assert "org/teacher" not in out
    assert call(capsys, suite, "--only", "nobody")[0] == 2
    code, _, err = call(capsys, suite, "--set", "backbone.name=hff")
    assert code == 3
    assert "Did you mean 'hf'?" in err
    code, _, err = call(capsys, suite.parent / "none.yaml")
    assert code in (2, 4)
    assert "none.yaml" in err


def test_the_hub_is_asked_and_only_for_what_is_read(suite: Path, tmp_path: Path) -> None:
    """A real client against a hub on this machine, in a process of its own: the endpoint is read at import."""
    (suite.parent / "sentences.txt").write_text("One.\n")
    unset = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    with serve({"org/student": FULL}) as (endpoint, fetched):
        given = {**unset, "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
        given |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        command = [sys.executable, "-m", "dalr_bench", "prefetch", str(suite)]

        def ask(*more: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run([*command, *more], env=given, capture_output=True, text=True, check=False)

        offline = ask("--offline", "--only", "without")
        assert offline.returncode == 4
        assert fetched == []
        first = ask("--only", "without")
        assert (first.returncode, first.stderr) == (0, ""), first.stdout
        assert first.stdout.splitlines()[0] == "fetched  model     org/student  (hub cache)  for backbone"
        assert sorted(fetched) == ["config.json", "model.safetensors", "vocab.txt"]  # no pickle, no other format
        again = ask("--only", "without")
        assert again.stdout.splitlines()[0].startswith("there    model     org/student  (hub cache)")
        assert len(fetched) == 3
        unknown = ask("--only", "with")
        assert unknown.returncode == 4
        assert "missing  model     org/teacher at v1" in unknown.stdout
        assert "could not be fetched" in unknown.stdout


@pytest.mark.parametrize("path", sorted(SUITES.rglob("*.yaml")), ids=lambda path: str(path.relative_to(SUITES)))
def test_every_shipped_suite_is_listed_without_its_data(
    path: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DALR_BENCH_DATA", raising=False)
    code, out, err = call(capsys, path, "--offline", "--json")
    document = json.loads(out)
    assert err == ""
    assert code == (4 if document["missing"] else 0)
    for item in document["requirements"]:
        assert item["state"] == "there" or (item["why"] and item["how"]), item
