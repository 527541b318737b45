"""A run on two processes: the record of one, whatever becomes of a process on the way; nobody is left behind."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from dalr_bench.errors import SuiteError
from dalr_bench_plugins.executors.torchrun import Torchrun
from tests.plugins.executors.equal import TINY, run
from tests.plugins.executors.strangers import install

# The second process kills itself in the third step of the last run, once.
DEADLY = '''
"""A loss that is nothing, and the end of a process."""
import os
from pathlib import Path
from dalr_bench import LossOutput, hookimpl

class Deadly:
    """Source: this test."""
    def __call__(self, inputs):
        mark = Path(os.environ["MARK"])
        if inputs.step == 2 and os.environ.get("RANK") == "1" and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), 9)
        return LossOutput(0 * inputs.encoding.projected_NVD.sum())

@hookimpl
def register_losses(register):
    register("deadly", Deadly)
'''
SUITE = f"""
extends: {TINY}
suite: several
seeds: [0]
base: {{backbone: {{hidden_dropout: 0.0}}, train: {{gradients_every: 3}}}}
ablate:
  ranked: {{losses.end: {{name: deadly}}}}
"""
ONE = ("--only", "ranked", "--checkpoint-every", "1steps")


def records(results: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in results.glob("several/*/record.json")}


def steps(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "steps.jsonl").read_text().splitlines()]


def pulls(folder: Path) -> list[dict[str, float]]:
    """Columns on the terms' gradients, of the steps that have them."""
    rows = [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]
    found = [{key: x for key, x in row.items() if key.startswith(("grad(", "cosine("))} for row in rows]
    return [row for row in found if row]


def same_pulls(folder: Path, other: Path) -> None:
    """Up to what rounding makes of weights and of teachers that are runs; in double precision test_distributed compares."""
    found, wanted = pulls(folder), pulls(other)
    assert len(found) == len(wanted) > 0
    for mine, theirs in zip(found, wanted, strict=True):
        assert mine == pytest.approx(theirs, rel=0.01, abs=0.02)


def living(mark: Path) -> list[int]:
    """Processes that were given this variable, by the system's own list."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(mark).encode() in place.read_bytes() and place.parent.name != str(os.getpid()):
                found.append(int(place.parent.name))
        except OSError:
            continue
    return found


def test_two_processes_leave_the_record_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", "deadly_plugin", DEADLY, monkeypatch)
    (tmp_path / "s.yaml").write_text(SUITE)
    mark = tmp_path / "mark"
    told = {"suite": tmp_path / "s.yaml", "MARK": str(mark)}
    one = run(tmp_path / "one", "inline", *ONE, **told)
    two = run(tmp_path / "two", "torchrun:processes=2", *ONE, **told)
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr
    alone, both = records(tmp_path / "one"), records(tmp_path / "two")
    assert alone.keys() == both.keys()  # the same identities
    assert len(both) == 3  # two teachers that are runs, and the run that asks them
    for name, record in both.items():
        folder = tmp_path / "two" / "several" / name
        assert record["status"] == "done"
        assert (record["environment"]["processes"], alone[name]["environment"]["processes"]) == (2, 1)
        assert json.loads((folder / "execution.json").read_text())["processes"] == 2
        assert steps(folder) == pytest.approx(steps(tmp_path / "one" / "several" / name), rel=1e-5)
        same_pulls(folder, tmp_path / "one" / "several" / name)
        found, wanted = ([score["value"] for score in each["scores"]] for each in (record, alone[name]))
        assert len(found) > 3
        assert found == pytest.approx(wanted, abs=1e-4)
        assert (folder / "events.jsonl").read_text().count('"trained"') == 1
    # The process that died took the other with it; the run was given out again and went on from its checkpoint.
    assert mark.exists()
    last = next(name for name in both if name.startswith("ranked"))
    assert [each["trouble"] for each in both[last]["retries"]] == ["lost"]
    assert '"resumed"' in (tmp_path / "two" / "several" / last / "events.jsonl").read_text()
    assert not living(mark)


@pytest.mark.slow
def test_cut_weights_leave_the_same_files(tmp_path: Path) -> None:
    # With AdamW's own epsilon a gradient that is rounding alone moves a weight by lr, and its sign is chance.
    plain = SUITE.replace("ranked: {losses.end: {name: deadly}}", "ranked: {train.log_every: 1}")
    (tmp_path / "s.yaml").write_text(plain.replace("train: {gradients", "train: {eps: 1.0e-3, gradients"))
    alone, cut = tmp_path / "one" / "several", tmp_path / "cut" / "several"
    for results, executor in ((alone, "inline"), (cut, "torchrun:processes=2,shard=fsdp")):
        done = run(results.parent, executor, "--only", "ranked", "--retain", "last", suite=tmp_path / "s.yaml")
        assert done.returncode == 0, done.stderr
    assert len(records(alone.parent)) == 3
    for name, record in records(cut.parent).items():
        assert (record["status"], record["environment"]["shard"]) == ("done", "fsdp")
        assert steps(cut / name) == pytest.approx(steps(alone / name), rel=1e-5)
        same_pulls(cut / name, alone / name)
        wanted = [score["value"] for score in records(alone.parent)[name]["scores"]]
        assert [score["value"] for score in record["scores"]] == pytest.approx(wanted, abs=1e-4)
        files = [path.relative_to(alone / name) for path in (alone / name).rglob("*.safetensors")]
        assert len(files) > 4  # the weights, the model, and the last checkpoint with its moments and best weights
        for path in files:
            if path.name != "generators.safetensors":
                ours, theirs = load_file(cut / name / path), load_file(alone / name / path)
                assert ours.keys() == theirs.keys()
                for key, value in theirs.items():
                    assert torch.allclose(ours[key], value, rtol=0, atol=1e-5), (path, key)  # a hundredth of one step


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dalr_bench_plugins.workers.devices.gpus", lambda: [("0", 1), ("1", 1)])
    with pytest.raises(SuiteError, match="there are 2 GPUs"):
        Torchrun(3)
