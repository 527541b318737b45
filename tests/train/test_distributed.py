"""Two processes under torchrun: losses, gradients and weights of one process with the whole batch, for every loss."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from every_loss import LOSSES, ONLY_TEXT, engine, weights

from dalr_bench.train.distributed import Group
from dalr_bench.train.engine import Watch

HERE = Path(__file__).parent
EVERY: dict[str, Any] = {"labels": list(LOSSES)}
# Two processes, and the one process that must come to the same: with dropout the masks are those of two pieces.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "every loss": (EVERY, EVERY),
    "an odd batch": ({**EVERY, "batch": 9}, {**EVERY, "batch": 9}),
    "triplets": ({"labels": ONLY_TEXT, "triplets": True}, {"labels": ONLY_TEXT, "triplets": True}),
    "dropout": ({**EVERY, "dropout": 0.3}, {**EVERY, "dropout": 0.3, "micro_batch": 5}),
    "in pieces": ({**EVERY, "dropout": 0.3, "micro_batch": 1}, {**EVERY, "dropout": 0.3, "micro_batch": 1}),
    "decay": ({**EVERY, "weight_decay": 0.1, "clip": 0.5}, {**EVERY, "weight_decay": 0.1, "clip": 0.5}),
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    cases = [{"name": name, "engine": two} for name, (two, _) in CASES.items()]
    (folder / "cases.json").write_text(json.dumps(cases))
    line = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        HERE / "several_processes.py",
        folder,
    ]
    place = {**os.environ, "PYTHONPATH": str(HERE.parent), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, *map(str, line)], env=place, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return folder


@pytest.mark.parametrize("name", CASES)
def test_two_processes_are_one_with_the_whole_batch(done: Path, name: str) -> None:
    made = engine(**CASES[name][1])
    seen: list[dict[str, float]] = []
    made.train(Watch(lambda step, steps, values: seen.append(dict(values))))
    found = [json.loads((done / f"{name}-{rank}.json").read_text()) for rank in (0, 1)]
    assert found[0] == found[1]
    assert len(found[0]["losses"]) == 4
    for two, one in zip(found[0]["losses"], seen, strict=True):  # the gradient's norm is among them
        assert two == pytest.approx(one, rel=1e-7, abs=1e-9)
    for key, value in weights(made).items():
        assert torch.allclose(torch.tensor(found[0]["weights"][key], dtype=value.dtype), value, rtol=0, atol=1e-7), key


@pytest.mark.parametrize("rows", [2, 5, 8, 9])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_shares_are_the_batch_in_order(rows: int, size: int) -> None:
    whole = np.arange(100, 100 + rows)
    groups = [Group(rank, size) for rank in range(size)]
    shares = [group.share(whole) for group in groups]
    assert len({len(share) for share in shares}) == 1
    assert np.concatenate(shares)[:rows].tolist() == whole.tolist()
    for group, share in zip(groups, shares, strict=True):
        own = group.own(rows)
        assert share[: own.stop - own.start].tolist() == whole[own].tolist()
