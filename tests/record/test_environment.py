from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from dalr_bench import __version__
from dalr_bench.plugin.manager import load
from dalr_bench.record.environment import environment


def test_what_a_record_says_of_its_machine() -> None:
    found = environment("cpu", load().catalogue)
    assert found["python"] == platform.python_version()
    assert 1 <= found["cores"] <= (os.cpu_count() or 1)
    assert found["memory_bytes"] is None or found["memory_bytes"] > 2**28
    assert found["device"] == "cpu"
    assert found["dalr_bench"] == __version__
    assert found["plugins"]["dalr-bench"] == __version__
    assert {"torch", "transformers", "numpy"} <= set(found["libraries"])
    assert json.loads(json.dumps(found)) == found


def test_the_commit_and_whether_it_was_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert environment()["commit"] is None
    git("init", "-q")
    (tmp_path / "x").write_text("1")
    git("add", "x")
    git("commit", "-qm", "x")
    commit = git("rev-parse", "HEAD").strip()
    assert environment()["commit"] == commit
    (tmp_path / "new").write_text("untracked files change no result")
    assert environment()["commit"] == commit
    (tmp_path / "x").write_text("2")
    assert environment()["commit"] == commit + "+"


def test_no_git_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment()["commit"] is None


def test_torch_is_not_imported() -> None:
    code = "import sys; from dalr_bench.record.environment import environment as e; e(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
