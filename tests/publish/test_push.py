"""Sending to the hub: refused early and in one line where it cannot work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fake_hub import serve
from hub_inbox import receive

from dalr_bench import DataError
from dalr_bench.publish.push import check_login


def export(readings: Path, target: Path, repository: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return python(
        ["-m", "dalr_bench", "export", str(readings), "first", "--to", str(target), "--push", repository], **variables
    )


def python(words: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """A process that knows nothing of this one's hub."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env={**kept, **variables}, check=False
    )


def test_offline_logged_out_and_misnamed_are_told_before_anything_is_written(readings: Path, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    for variables, repository, message in (
        ({"HF_HUB_OFFLINE": "1", "HF_TOKEN": "hf_x"}, "me/model", "HF_HUB_OFFLINE is set"),
        ({}, "me/model", "nobody is logged in; `hf auth login`"),
        ({"HF_TOKEN": "hf_x"}, "me/../model", "--push me/../model"),
    ):
        done = export(readings, tmp_path / "out", repository, HF_HOME=home, **variables)
        assert done.returncode == 4
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "out").exists()


def test_a_hub_that_is_not_reached_is_told_and_the_folder_stays(readings: Path, tmp_path: Path) -> None:
    hub = {"HF_TOKEN": "hf_x", "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "home")}
    done = export(readings, tmp_path / "out", "me/model", **hub)
    assert done.returncode == 4
    assert "the hub refused or was not reached" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out" / "README.md").is_file()


def test_the_hub_gets_the_folder_and_serves_the_same_model(readings: Path, tmp_path: Path) -> None:
    """Against a hub on this machine: the repository is made, every file arrives as it is, small ones in the commit and
    weights apart; fetched from there by its name, the model gives the folder's vectors."""
    from sentence_transformers import SentenceTransformer

    out = tmp_path / "out"
    with receive() as inbox:
        hub = {"HF_TOKEN": "hf_x", "HF_ENDPOINT": inbox.endpoint, "HF_HUB_DISABLE_XET": "1"}
        done = export(readings, out, "me/model", HF_HOME=str(tmp_path / "home"), **hub)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"sent to {inbox.endpoint}/me/model\n")
    assert inbox.created == ["me/model"]
    assert inbox.tokens == {"Bearer hf_x"}
    assert inbox.messages == ["Export of dalr-bench"]
    written = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert inbox.files == {"me/model": written}
    assert [name for name in written if written[name] in inbox.large.values()] == ["model.safetensors"]

    sentences = ["A red cube left of a sphere.", "Two dogs play."]
    fetch = (
        "import json, sys, dalr_bench\nfrom sentence_transformers import SentenceTransformer\n"
        "print(json.dumps(SentenceTransformer('me/model', device='cpu').encode(json.loads(sys.argv[1])).tolist()))"
    )
    with serve(inbox.files) as (endpoint, fetched):
        elsewhere = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "elsewhere"), "HF_HUB_DISABLE_XET": "1"}
        got = python(["-c", fetch, json.dumps(sentences)], **elsewhere)
    assert got.returncode == 0, got.stderr[-2000:]
    assert "model.safetensors" in fetched
    ours = SentenceTransformer(str(out), device="cpu").encode(sentences)
    assert np.array(json.loads(got.stdout)) == pytest.approx(ours, abs=1e-6)


def test_a_login_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    check_login("me/model")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match="unset it"):
        check_login("me/model")
