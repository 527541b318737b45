"""A real loss that leaves the numbers: the run stops at that step, names the terms, and leaves no weights behind."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from dalr_bench.cli.main import main

SUITE = """
suite: tiny
base:
  backbone: {name: hf, layers: 1, hidden: 16, heads: 2, feed_forward: 16}
  streams: {text: {name: scenes, scenes: 24, captions: 2}}
  losses: {info: {name: infonce}, wide: {name: infonce, temperature: 1.0}}
  train: {steps: 6, batch: 8, lr: 1e25, log_every: 6}
  evaluate: [scenes]
ablate: {baseline: {}}
"""


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose weights grow by 1e25 a step: its first loss is a number, its second is not."""
    folder = tmp_path_factory.mktemp("failed")
    (folder / "tiny.yaml").write_text(SUITE)
    where = ["--executor", "inline", "--results", str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DALR_BENCH_CACHE", str(folder / "cache"))
        with pytest.raises(SystemExit) as left:
            main(["run", str(folder / "tiny.yaml"), *where, "--checkpoint-every", "1steps"])
    assert left.value.code == 5
    (run,) = folder.glob("tiny/baseline*")
    return run


def record(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "record.json").read_text())
    return found


def test_the_record_names_the_step_and_its_terms(failed: Path) -> None:
    found = record(failed)
    assert found["status"] == "failed"
    assert found["error"].startswith("step 2: not finite: info, info.cosine, wide, wide.cosine (all terms: ")
    assert "loss=nan" in found["error"] or "loss=inf" in found["error"]
    logged = [json.loads(line) for line in (failed / "steps.jsonl").read_text().splitlines()]
    assert [line["step"] for line in logged] == [1]
    assert math.isfinite(logged[0]["loss"])


def test_no_poisoned_weight_is_saved(failed: Path) -> None:
    assert not (failed / "model").exists()
    assert not (failed / "weights.safetensors").exists()
    assert not (failed / "trained.json").exists()
    kept = sorted(failed.glob("checkpoints/*/weights*.safetensors"))
    assert {path.parent.name.lstrip("0") for path in kept} <= {"1"}  # the step before is all there may be
    assert all(value.isfinite().all() for path in kept for value in load_file(path).values())
