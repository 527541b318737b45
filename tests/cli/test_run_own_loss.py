"""`dalr-bench run` with a loss somebody is still writing: what goes wrong in it is told, and where."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commanded import call, records
from conformance.strangers import installed

LOSS = """
from __future__ import annotations
import torch
from dalr_bench import LossInputs, LossOutput, hookimpl

class Draft:
    def __init__(self) -> None: ...
    def __call__(self, inputs: LossInputs) -> LossOutput:
        rows_ND = inputs.encoding.projected_NVD[:, 0]
        %s

@hookimpl
def register_losses(register):
    register("draft", Draft)
"""
SUITE = """suite: draft
seeds: [0]
base:
  backbone: {name: hf, layers: 1, hidden: 16, heads: 2, feed_forward: 16}
  streams: {text: {name: scenes, scenes: 20}}
  losses: {info: {name: infonce}, mine: {name: draft}}
  train: {steps: 2, batch: 8, lr: 1e-3}
  evaluate: [{name: scenes, pairs: 60, probes: false}]
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Path]:
    installed(tmp_path / "site", "drafted", LOSS % request.param)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "draft.yaml").write_text(SUITE)
    yield tmp_path
    sys.modules.pop("drafted", None)


@pytest.mark.parametrize(
    ("written", "told", "where"),
    [
        ("return LossOutput(rows_ND.smu())", "AttributeError: 'Tensor' object has no attribute 'smu'", "rows_ND.smu()"),
        ("raise SystemExit(3)", "a component left by sys.exit(3)", "raise SystemExit(3)"),
    ],
    indirect=["written"],
)
def test_what_nobody_foresaw_is_told_with_its_place(
    written: Path, told: str, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = call(capsys, "run", "draft.yaml")
    assert code == 1
    assert "Traceback" not in err + out
    (record,) = records(written / "results").values()
    assert told in record["error"]
    place = next(line for line in err.splitlines() if line.startswith("where in the code: ")).partition(": ")[2]
    traceback = Path(place).read_text()
    assert "drafted.py" in traceback
    assert where in traceback


@pytest.mark.parametrize("written", ["return LossOutput(rows_ND.sum().detach())"], indirect=True)
def test_a_term_that_trains_nothing_is_told(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "run", "draft.yaml")
    assert code == 0
    assert "losses.mine never had a gradient, so it trained nothing" in err
    assert "losses.info" not in err


@pytest.mark.parametrize("written", ["return LossOutput(rows_ND.sum() / 0)"], indirect=True)
def test_a_fault_with_a_name_needs_no_traceback(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "run", "draft.yaml")
    assert code == 5
    assert "not finite: mine" in err
    assert "where in the code" not in err
