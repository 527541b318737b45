"""Runs in Weights & Biases, online or in files to be synced later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from dalr_bench import hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.tracking.installed import require


class WeightsAndBiases:
    """One W&B run a run: curves by step, the config, final scores as summary; the suite is its group.

    `project` and `entity` say where. `mode: offline` writes files under `folder` and asks no network (`wandb sync`
    sends them later); without `mode` the library's own setting holds (WANDB_MODE). Raises PluginError where the library
    is not installed. Source: wandb's `init`, `Run.log` and `Run.summary`.
    """

    def __init__(
        self,
        project: str = "dalr-bench",
        entity: str | None = None,
        mode: Literal["online", "offline", "disabled"] | None = None,
        folder: str | None = None,
    ) -> None:
        require("wandb")
        self.place: dict[str, Any] = {"project": project, "entity": entity, "mode": mode, "dir": folder}
        self._runs: dict[str, Any] = {}

    def run_started(self, run_id: str, config: Mapping[str, Any]) -> None:
        """Open a run named by our id; nothing of the console or the code is taken along."""
        import wandb

        settings = wandb.Settings(console="off", save_code=False, disable_git=True, silent=True)
        self._runs[run_id] = wandb.init(
            **self.place, name=run_id, group=str(config["suite"])[:128], config=dict(config), reinit="create_new",
            settings=settings,
        )  # fmt: skip

    def step_finished(self, run_id: str, step: int, values: Mapping[str, float]) -> None:
        """One point for every value."""
        self._runs[run_id].log({"step": step, **{f"train/{name}": value for name, value in values.items()}})

    def dev_scored(self, run_id: str, step: int, scores: Mapping[str, float]) -> None:
        """One point for every dev task."""
        self._runs[run_id].log({"step": step, **{f"dev/{task}": value for task, value in scores.items()}})

    def run_finished(self, run_id: str, record: Mapping[str, Any]) -> None:
        """Final scores into the summary; a failed run is marked as such."""
        run = self._runs.pop(run_id, None)
        if run is None:
            return
        for score in record["scores"]:
            run.summary[f"{score['split']}/{score['task']}.{score['metric']}"] = score["value"]
        run.summary["status"] = str(record["error"] or record["status"])
        run.finish(exit_code=0 if record["status"] == "done" else 1)


@hookimpl
def register_trackers(register: Register) -> None:
    register("wandb", WeightsAndBiases)
