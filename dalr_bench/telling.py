"""What a run tells while it runs: events for whoever asked, now and then, and the hooks of plugins that watch."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dalr_bench.evaluate.encoder import Pace
from dalr_bench.evaluate.untouched import forked_rng
from dalr_bench.plugin.manager import Plugins
from dalr_bench.protocols import Report

_SECONDS_BETWEEN_REPORTS = 0.5


@dataclass
class Teller:
    """The voice of one run. Nothing it is told changes the run."""

    run_id: str
    report: Report
    plugins: Plugins
    _reported: float = 0.0

    def event(self, event: str, **values: Any) -> None:
        self.report({"event": event, "run_id": self.run_id, **values})

    def warning(self, text: str) -> None:
        self.event("warning", text=text)

    def preparing(self, done: int, total: int) -> None:
        if self._due() or done == total:
            self.event("prepare", done=done, total=total)

    def encoding(self, pace: Pace) -> None:
        if self._due():
            self.event("encode", done=pace.sentences, total=pace.total_sentences)

    def step(self, step: int, steps: int, values: Mapping[str, float]) -> None:
        if self._due() or step == steps:
            self.event("step", step=step, steps=steps, loss=values["loss"])
        self.hook("step_finished", step=step, values=values)

    def hook(self, name: str, **values: Any) -> None:
        """Call a watching hook; one that fails is named and the run goes on. Whatever it draws at random is given back."""
        try:
            with forked_rng():
                getattr(self.plugins.hooks.hook, name)(run_id=self.run_id, **values)
        except Exception as error:
            warnings.warn(f"a plugin's {name} failed and was ignored: {error}", stacklevel=2)

    def _due(self) -> bool:
        now = time.monotonic()
        due = now - self._reported > _SECONDS_BETWEEN_REPORTS
        self._reported = now if due else self._reported
        return due
