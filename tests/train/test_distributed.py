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
from every_loss import LOSSES, ONLY_TEXT, SENTENCES, engine, weights

from dalr_bench.evaluate.encoder import EncodeOptions, OnePass
from dalr_bench.train.distributed import Group
from dalr_bench.train.engine import Watch

HERE = Path(__file__).parent
EVERY: dict[str, Any] = {"labels": list(LOSSES)}
# Without dropout two views agree already: what pulls there is rounding alone.
PULLING: dict[str, Any] = {"labels": [label for label in LOSSES if label != "agree"]}
# Two processes, and the one process that must come to the same: with dropout the masks are those of two pieces.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "every loss": (EVERY, EVERY),
    "gradients that go round as they lie": (EVERY, EVERY),
    "an odd batch": ({**EVERY, "batch": 9}, {**EVERY, "batch": 9}),
    "triplets": ({"labels": ONLY_TEXT, "triplets": True}, {"labels": ONLY_TEXT, "triplets": True}),
    "dropout": ({**EVERY, "dropout": 0.3}, {**EVERY, "dropout": 0.3, "micro_batch": 5}),
    "in pieces": ({**EVERY, "dropout": 0.3, "micro_batch": 1}, {**EVERY, "dropout": 0.3, "micro_batch": 1}),
    "looked at": ({**PULLING, "gradients_every": 2}, {**PULLING, "gradients_every": 2}),
    "looked at, in pieces": (
        {**EVERY, "dropout": 0.3, "micro_batch": 1, "gradients_every": 1},
        {**EVERY, "dropout": 0.3, "micro_batch": 1, "gradients_every": 1},
    ),
    "sharded": (PULLING, PULLING),
    "sharded, looked at": ({**PULLING, "gradients_every": 1}, {**PULLING, "gradients_every": 1}),
    "sharded, looked at, in pieces": (
        {**PULLING, "batch": 9, "micro_batch": 1, "gradients_every": 2},
        {**PULLING, "batch": 9, "gradients_every": 2},
    ),
    # Without dropout: layers that are gathered draw torch's masks, not those of the packed forward.
    "sharded, an odd batch in pieces": ({**EVERY, "batch": 9, "micro_batch": 1}, {**EVERY, "batch": 9}),
    "sharded, the first weights kept": ({**EVERY, "dev_every": 2}, {**EVERY, "dev_every": 2}),
    "sharded, resumed": ({**EVERY, "dev_every": 2}, EVERY),
    "accounted": ({"labels": ["info", "list"], "account_every": 1}, {"labels": ["info", "list"], "account_every": 1}),
    "decay": ({**EVERY, "weight_decay": 0.1, "clip": 0.5}, {**EVERY, "weight_decay": 0.1, "clip": 0.5}),
}
# Beside the engine: which weights are kept by a dev score (as several_processes.py has it), and whether a checkpoint is read.
HOW: dict[str, dict[str, Any]] = {
    "accounted": {"slow": 1},
    "gradients that go round as they lie": {"large": 100},
    "sharded": {"shard": True},
    "sharded, looked at": {"shard": True},
    "sharded, looked at, in pieces": {"shard": True},
    "sharded, an odd batch in pieces": {"shard": True},
    "sharded, the first weights kept": {"shard": True, "best": -1},
    "sharded, resumed": {"shard": True, "best": 1, "resumes": True},
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    cases = [{"name": name, "engine": two, **HOW.get(name, {})} for name, (two, _) in CASES.items()]
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
    how = HOW.get(name, {})
    made = engine(**CASES[name][1])
    seen: list[dict[str, float]] = []
    first = (lambda step: -float(step)) if how.get("best") == -1 else None
    made.train(Watch(lambda step, steps, values: seen.append(dict(values)), first))
    ranks = (0,) if how.get("shard") else (0, 1)  # weights that are cut are whole at the first process
    found = [json.loads((done / f"{name}-{rank}.json").read_text()) for rank in ranks]
    assert all(each["weights"] == found[0]["weights"] for each in found)
    assert len(found[0]["losses"]) == (2 if how.get("resumes") else 4)
    for two, one in zip(found[0]["losses"], seen[-len(found[0]["losses"]) :], strict=True):  # with the gradient's norm
        assert two == pytest.approx(one, rel=1e-7, abs=1e-9)
    for key, value in weights(made).items():
        assert torch.allclose(torch.tensor(found[0]["weights"][key], dtype=value.dtype), value, rtol=0, atol=1e-7), key


@pytest.mark.parametrize(("looked", "unseen"), [("looked at, in pieces", "in pieces"), ("sharded, looked at", "sharded")])
def test_looking_at_the_terms_leaves_all_equal_to_the_bit(done: Path, looked: str, unseen: str) -> None:
    for rank in (0,) if HOW.get(looked, {}).get("shard") else (0, 1):
        seen, plain = (json.loads((done / f"{name}-{rank}.json").read_text()) for name in (looked, unseen))
        assert seen["weights"] == plain["weights"]
        rows = [{key: value for key, value in row.items() if key in plain["losses"][0]} for row in seen["losses"]]
        assert rows == plain["losses"]
    assert [sum(key.startswith("grad(") for key in row) for row in seen["losses"]] == [] if rank else [12] * 4


def test_the_first_process_tells_what_it_waited_for(done: Path) -> None:
    """The other one takes 0.2 s longer for its share; all compute the losses of the whole batch."""
    costs = json.loads((done / "accounted-0.json").read_text())["costs"]
    assert set(costs) == {"step", "rest", "batch", "student", "exchange", "losses.info", "losses.list", "optimizer"}
    assert all(cost["share"] == 1 and cost["ms_per_step"] > 0 for cost in costs.values())
    assert costs["exchange"]["forward_ms"] > 100
    assert costs["exchange"]["backward_ms"] > 0
    assert max(cost["ms_per_step"] for name, cost in costs.items() if name not in ("step", "exchange")) < 100
    parts = sum(cost["peak_bytes"] is not None for cost in costs.values())
    assert parts == len(costs)


@pytest.mark.parametrize("name", ["every loss", "sharded"])
def test_evaluation_is_shared_and_equal_to_the_bit(done: Path, name: str) -> None:
    made = engine(**CASES[name][1])
    made.train(Watch(lambda step, steps, values: None))
    made.student.load_state_dict(
        {
            key.removeprefix("student."): torch.tensor(value, dtype=torch.float64)
            for key, value in json.loads((done / f"{name}-0.json").read_text())["weights"].items()
            if key.startswith("student.")
        }
    )
    alone = OnePass(made.student, "cpu", EncodeOptions(budget=40)).encode(SENTENCES)
    assert len(alone) == 150
    assert alone.tobytes() == np.load(done / f"{name}-rows.npy").tobytes()


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
