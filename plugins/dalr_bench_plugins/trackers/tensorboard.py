"""Curves in TensorBoard's own files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dalr_bench import hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.tracking.installed import require


class TensorBoard:
    """Losses, gradient norm, rate and dev scores by step, final scores and the config of every run, as event files.

    `folder`: where `<suite>/<run id>/events.out.tfevents.*` go; look with `tensorboard --logdir FOLDER`. Raises
    PluginError where the library is not installed. Source: torch.utils.tensorboard (its SummaryWriter).
    """

    def __init__(self, folder: str = "runs") -> None:
        require("tensorboard")
        self.folder = Path(folder)
        self._writers: dict[str, Any] = {}

    def run_started(self, run_id: str, config: Mapping[str, Any]) -> None:
        """Open the run's event file; a run tried again gets another file beside the first."""
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(str(self.folder / str(config["suite"]) / run_id))
        self._writers[run_id] = writer
        writer.add_text("config", f"```\n{json.dumps(dict(config), indent=2, ensure_ascii=False)}\n```")

    def step_finished(self, run_id: str, step: int, values: Mapping[str, float]) -> None:
        """One point for every value."""
        for name, value in values.items():
            self._writers[run_id].add_scalar(f"train/{name}", value, step)

    def dev_scored(self, run_id: str, step: int, scores: Mapping[str, float]) -> None:
        """One point for every dev task."""
        for task, value in scores.items():
            self._writers[run_id].add_scalar(f"dev/{task}", value, step)

    def run_finished(self, run_id: str, record: Mapping[str, Any]) -> None:
        """Final scores at the last step; an error as text. Closes the file."""
        writer = self._writers.pop(run_id, None)
        if writer is None:
            return
        for score in record["scores"]:
            writer.add_scalar(
                f"{score['split']}/{score['task']}.{score['metric']}", score["value"], record.get("steps")
            )
        writer.add_text("status", str(record["error"] or record["status"]))
        writer.close()


@hookimpl
def register_trackers(register: Register) -> None:
    register("tensorboard", TensorBoard)
