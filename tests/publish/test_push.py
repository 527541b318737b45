"""Sending to the hub: refused early and in one line where it cannot work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dalr_bench import DataError
from dalr_bench.publish.push import check_login


def export(readings: Path, target: Path, repository: str, **variables: str) -> subprocess.CompletedProcess[str]:
    words = ["export", str(readings), "first", "--to", str(target), "--push", repository]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    command = [sys.executable, "-m", "dalr_bench", *words]
    return subprocess.run(command, capture_output=True, text=True, env={**kept, **variables}, check=False)


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


def test_a_login_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    check_login("me/model")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match="unset it"):
        check_login("me/model")
