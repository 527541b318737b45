"""MLflow's local file store holds what was logged, read by MLflow's own client; the weights are as without it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tracked import points, same_weights, steps_of, trained

mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_local_store_holds_curves_scores_and_config_and_the_weights_are_the_same(tmp_path: Path) -> None:
    plain = trained(tmp_path / "plain")
    folder = trained(tmp_path / "watched", "--tracker", f"mlflow:uri={tmp_path / 'store'}")
    assert same_weights(plain, folder)

    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "store").as_uri())
    experiment = client.get_experiment_by_name("tiny")
    found = {run.data.tags["mlflow.runName"]: run for run in client.search_runs([experiment.experiment_id])}
    run = found[folder.name]
    assert run.info.status == "FINISHED"
    assert (run.data.tags["variant"], run.data.tags["seed"]) == ("baseline", "0")
    for name in ("loss", "grounding"):
        logged = [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, f"train/{name}")]
        assert dict(logged) == pytest.approx(dict(points(steps_of(folder), name)))
    record = json.loads((folder / "record.json").read_text())
    assert run.data.metrics["test/Scenes-STS.spearman"] == pytest.approx(record["scores"][0]["value"])
    assert "dev/Scenes-STS" in run.data.metrics
    configs = [json.loads(path.read_text())["variant"] for path in (tmp_path / "store").rglob("config.json")]
    assert sorted(configs) == ["baseline", "picture teacher"]


def test_names_of_metrics_are_made_fit_and_a_failure_is_marked(tmp_path: Path) -> None:
    from dalr_bench_plugins.trackers.mlflow import MlFlow

    tracker = MlFlow(uri=str(tmp_path / "store"), experiment="other")
    tracker.run_started("a", {"suite": "s", "variant": "+CML", "seed": 0})
    tracker.step_finished("a", 1, {"loss(λ)": 2.0})
    tracker.run_finished("a", {"scores": [], "status": "failed", "error": "no"})
    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "store").as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("other").experiment_id])
    assert run.info.status == "FAILED"
    assert list(run.data.metrics.values()) == [2.0]
