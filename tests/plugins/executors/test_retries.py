"""Faults by a plugin: memory that runs out is met with smaller micro-batches and recorded; a bug is not tried again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dalr_bench.cli.main import main
from tests.plugins.executors.equal import TINY
from tests.plugins.executors.strangers import install

FAULTY = '''
"""A backbone that has room for few sentences at a time, and a loss with a bug."""
import torch
from dalr_bench import LossOutput, hookimpl
from dalr_bench_plugins.backbones.hf import hf

def cramped(room: int = 2, *, vocabulary=(), sentences=()):
    """Source: this test."""
    student = hf(layers=1, hidden=16, heads=2, feed_forward=16, vocabulary=vocabulary, sentences=sentences)
    encode = student.encode
    def tight(tokens, views, states):
        if len(tokens.ids_NL) > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return encode(tokens, views=views, states=states)
    student.encode = tight
    return student

class Wrong:
    """Source: this test."""
    def __call__(self, inputs):
        raise ZeroDivisionError("division by zero")

@hookimpl
def register_backbones(register):
    register("cramped", cramped)

@hookimpl
def register_losses(register):
    register("wrong", Wrong)
'''
SUITE = f"""
extends: {TINY}
suite: faulty
seeds: [0]
base: {{losses: {{grounding: null}}, teachers: null}}
support: null
ablate:
  untrained: null
  baseline: null
  ranked: null
  cramped: {{backbone: {{name: cramped, room: 2}}}}
  hopeless: {{backbone: {{name: cramped, room: 0}}}}
  buggy: {{losses.wrong: {{name: wrong}}}}
"""


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_one_policy_for_all_executors(
    executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path / "site", f"faulty_plugin_{executor}", FAULTY, monkeypatch)
    (tmp_path / "s.yaml").write_text(SUITE)
    with pytest.raises(SystemExit) as left:
        main(["run", str(tmp_path / "s.yaml"), "--results", str(tmp_path), "--executor", executor, "--jobs", "2"])
    err = capsys.readouterr().err
    assert left.value.code == 1, err
    found = {
        (record := json.loads(path.read_text()))["variant"]: record for path in tmp_path.glob("faulty/*/record.json")
    }
    assert {name: record["status"] for name, record in found.items()} == {
        "cramped": "done", "hopeless": "failed", "buggy": "failed",
    }  # fmt: skip
    # A batch of 8: 4 at a time were too many as well, 2 were not.
    tried = found["cramped"]["retries"]
    assert [(each["trouble"], each["micro_batch"]) for each in tried] == [("memory", 4), ("memory", 2)]
    assert found["cramped"]["micro_batch"] == 2
    assert [each["micro_batch"] for each in found["hopeless"]["retries"]] == [4, 2, 1]
    assert found["hopeless"]["trouble"] == "memory"
    assert "retries" not in found["buggy"]
    assert found["buggy"]["trouble"] == "bug"
    assert err.count("] again ") == 5
