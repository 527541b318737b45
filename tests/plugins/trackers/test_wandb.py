"""W&B offline: a run's files are there with what was logged, no network is asked, the weights are as without it."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tracked import same_weights, steps_of, trained

wandb = pytest.importorskip("wandb", reason="needs the extra wandb")
pytestmark = pytest.mark.filterwarnings("ignore")


def kept(folder: Path, name: str) -> list[dict[str, Any]]:
    """Every history or summary line of the offline run of that name."""
    from wandb.proto import wandb_internal_pb2

    for file in sorted(folder.glob("offline-run-*/run-*.wandb")):
        found = [wandb_internal_pb2.Record.FromString(data) for data in records(file.read_bytes())]
        if name in [record.run.display_name for record in found]:
            lines = [[*record.history.item, *record.summary.update] for record in found]
            return [
                {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in line} for line in lines
            ]
    raise LookupError(name)


def records(content: bytes) -> Iterator[bytes]:
    """The LevelDB log format: blocks of 32 KiB, each piece with checksum, length and kind (1 whole, 2-4 its parts)."""
    at, whole = 7, b""
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        whole += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""


def test_an_offline_run_holds_curves_and_scores_and_the_weights_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = trained(tmp_path / "plain")
    folder = trained(tmp_path / "watched", "--tracker", f"wandb:mode=offline,folder={tmp_path}")
    assert same_weights(plain, folder)
    logged = kept(tmp_path / "wandb", folder.name)
    steps = {line["step"]: line["train/loss"] for line in logged if "train/loss" in line}
    assert steps == pytest.approx({line["step"]: line["loss"] for line in steps_of(folder)})
    assert any("dev/Scenes-STS" in line for line in logged)
    record = json.loads((folder / "record.json").read_text())
    summary = {key: value for line in logged for key, value in line.items()}
    assert summary["test/Scenes-STS.spearman"] == pytest.approx(record["scores"][0]["value"])
    assert summary["status"] == "done"


def test_a_run_that_never_started_is_left_alone() -> None:
    from dalr_bench_plugins.trackers.wandb import WeightsAndBiases

    WeightsAndBiases(mode="disabled").run_finished("unknown", {"scores": [], "status": "failed", "error": "no"})
