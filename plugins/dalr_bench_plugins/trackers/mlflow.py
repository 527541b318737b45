"""Runs in MLflow: a folder on this machine, or a tracking server."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dalr_bench import hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.tracking.installed import require

# MLflow's rule for names of metrics, without the slash: its file store makes folders of those.
_UNFIT = re.compile(r"[^\w\-. :]")


class MlFlow:
    """One MLflow run a run, the suite as its experiment: curves by step, the config as `config.json`, final scores.

    `experiment` replaces the suite's name. `uri`: a folder (a local file store; newer versions of the library open one
    only where MLFLOW_ALLOW_FILE_STORE is set, which asking for a folder does) or the address of a tracking server or
    data base. Raises PluginError where the library is not installed. Source: mlflow's `MlflowClient`; the fluent
    interface is not used, so nothing global is changed.
    """

    def __init__(self, uri: str = "mlruns", experiment: str | None = None) -> None:
        require("mlflow")
        self.uri = uri if "://" in uri else Path(uri).absolute().as_uri()
        self.experiment = experiment
        self._client: Any = None
        self._runs: dict[str, str] = {}

    def run_started(self, run_id: str, config: Mapping[str, Any]) -> None:
        """Open a run in the suite's experiment."""
        client = self._opened()
        name = self.experiment or str(config["suite"])
        found = client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else client.create_experiment(name)
        tags = {"mlflow.runName": run_id, "variant": str(config["variant"]), "seed": str(config["seed"])}
        self._runs[run_id] = client.create_run(experiment, tags=tags).info.run_id
        client.log_dict(self._runs[run_id], dict(config), "config.json")

    def step_finished(self, run_id: str, step: int, values: Mapping[str, float]) -> None:
        """One point for every value."""
        for name, value in values.items():
            self._log(run_id, "train", name, value, step)

    def dev_scored(self, run_id: str, step: int, scores: Mapping[str, float]) -> None:
        """One point for every dev task."""
        for task, value in scores.items():
            self._log(run_id, "dev", task, value, step)

    def run_finished(self, run_id: str, record: Mapping[str, Any]) -> None:
        """Final scores; FINISHED or FAILED."""
        if run_id not in self._runs:
            return
        for score in record["scores"]:
            name = f"{score['task']}.{score['metric']}"
            self._log(run_id, score["split"], name, score["value"], int(record.get("steps") or 0))
        status = "FINISHED" if record["status"] == "done" else "FAILED"
        self._client.set_terminated(self._runs.pop(run_id), status)

    def _opened(self) -> Any:
        if self._client is None:
            if self.uri.startswith("file:"):
                os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
            from mlflow import MlflowClient

            self._client = MlflowClient(tracking_uri=self.uri)
        return self._client

    def _log(self, run_id: str, group: str, name: str, value: float, step: int) -> None:
        key = f"{_UNFIT.sub('_', group)}/{_UNFIT.sub('_', name)}"
        self._client.log_metric(self._runs[run_id], key, value, step=step)


@hookimpl
def register_trackers(register: Register) -> None:
    register("mlflow", MlFlow)
