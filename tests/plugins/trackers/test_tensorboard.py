"""TensorBoard's files hold what the run logged, read by TensorBoard's own reader; the weights are as without it."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from tracked import points, same_weights, steps_of, trained

pytest.importorskip("tensorboard", reason="needs the extra tensorboard")


def read(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = EventAccumulator(str(folder))
        found.Reload()
    return found


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_curves_scores_and_config_are_in_the_event_file_and_the_weights_are_the_same(tmp_path: Path) -> None:
    plain = trained(tmp_path / "plain")
    folder = trained(tmp_path / "watched", "--tracker", f"tensorboard:folder={tmp_path / 'runs'}")
    assert same_weights(plain, folder)

    board = read(tmp_path / "runs" / "tiny" / folder.name)
    for name in ("loss", "info", "grounding", "grad_norm", "rate"):
        logged = [(event.step, event.value) for event in board.Scalars(f"train/{name}")]
        assert dict(logged) == pytest.approx(dict(points(steps_of(folder), name)))
    record = json.loads((folder / "record.json").read_text())
    dev = {event.step: event.value for event in board.Scalars("dev/Scenes-STS")}
    assert dev == pytest.approx({point["step"]: point["value"] for point in record["dev_curve"]})
    (score,) = board.Scalars("test/Scenes-STS.spearman")
    assert score.value == pytest.approx(record["scores"][0]["value"])
    tags = board.Tags()["tensors"]
    assert {"config/text_summary", "status/text_summary"} <= set(tags)
    text = board.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert json.loads(text.removeprefix("```\n").removesuffix("\n```"))["losses"].keys() == {"grounding", "info"}


def test_a_failed_run_closes_its_file_and_says_why(tmp_path: Path) -> None:
    from dalr_bench_plugins.trackers.tensorboard import TensorBoard

    tracker = TensorBoard(str(tmp_path))
    tracker.run_started("a", {"suite": "s"})
    tracker.run_finished("a", {"scores": [], "status": "failed", "error": "the power went"})
    tracker.run_finished("never started", {"scores": [], "status": "failed", "error": "no"})
    assert b"the power went" in next((tmp_path / "s" / "a").iterdir()).read_bytes()
