"""Worker processes: a dead one takes one run with it, what it prints harms nobody, nothing is left running."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dalr_bench.cli.main import main
from tests.plugins.executors.strangers import install

TINY = Path(__file__).parents[2] / "suites" / "tiny.yaml"

TROUBLE = '''
"""A loss that kills its process at its second step, and one that shouts."""
import os
import torch
from dalr_bench import LossOutput, hookimpl

class Deadly:
    """Source: this test."""
    def __init__(self, signal: int = 9) -> None:
        self.signal = signal
    def __call__(self, inputs):
        if inputs.step == 1:
            os.kill(os.getpid(), self.signal)
        return LossOutput(inputs.encoding.projected_NVD.sum())

class Loud:
    """Source: this test."""
    def __call__(self, inputs):
        print('{"event": "end", "run_id": "forged", "status": "done"}', flush=True)
        os.write(1, b"noise on the raw descriptor\\n")
        return LossOutput(inputs.encoding.projected_NVD.square().mean())

@hookimpl
def register_losses(register):
    register("deadly", Deadly)
    register("loud", Loud)
'''

SUITE = f"""
extends: {TINY}
suite: trouble
seeds: [0]
ablate:
  dies: {{losses.end: {{name: deadly}}}}
  shouts: {{losses.noise: {{name: loud}}}}
"""


def test_a_dead_worker_takes_one_run_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path / "site", "trouble_plugin", TROUBLE, monkeypatch)
    (tmp_path / "trouble.yaml").write_text(SUITE)
    with pytest.raises(SystemExit) as left:
        main(["run", str(tmp_path / "trouble.yaml"), "--results", str(tmp_path), "--executor", "local", "--jobs", "2"])
    err = capsys.readouterr().err
    assert left.value.code == 1, err
    assert "its worker process died (signal 9" in err
    assert "forged" not in err
    found = {
        path.parent.name.split("-s0-")[0]: json.loads(path.read_text())["status"]
        for path in tmp_path.glob("trouble/*/record.json")
    }
    assert found == {
        "untrained": "done",
        "baseline": "done",
        "ranked": "done",
        "shouts": "done",
        "text_teacher": "done",
        "picture_teacher": "done",
    }


def test_the_dead_run_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Signal 0 only asks whether the process lives: the same suite with it runs to its end.
    install(tmp_path / "site", "trouble_plugin", TROUBLE, monkeypatch)
    (tmp_path / "trouble.yaml").write_text(SUITE.replace("name: deadly", "name: deadly, signal: 0"))
    line = [
        "run",
        str(tmp_path / "trouble.yaml"),
        "--results",
        str(tmp_path),
        "--only",
        "dies",
        "--executor",
        "local",
        "--jobs",
        "1",
    ]
    with pytest.raises(SystemExit) as left:
        main(line)
    assert left.value.code == 0, capsys.readouterr().err
