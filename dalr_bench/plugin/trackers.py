"""Trackers a user asks for, `NAME` or `NAME:key=value,...`: built, guarded, called as watchers beside plugins."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dalr_bench.plugin.manager import Plugins
from dalr_bench.plugin.named import named
from dalr_bench.plugin.spec import hookimpl

# How worker processes learn of them: the same texts, with ; between. Never part of a run's identity.
VARIABLE = "DALR_BENCH_TRACKERS"
Tell = Callable[[str, str], None]


@dataclass
class Guarded:
    """One tracker that cannot hurt: it is given copies; when it fails that is told once, and it is called no more."""

    name: str
    tracker: Any
    tell: Tell
    failed: bool = False

    @hookimpl
    def run_started(self, run_id: str, config: Mapping[str, Any]) -> None:
        self._call("run_started", run_id, config=config)

    @hookimpl
    def step_finished(self, run_id: str, step: int, values: Mapping[str, float]) -> None:
        self._call("step_finished", run_id, step=step, values=values)

    @hookimpl
    def dev_scored(self, run_id: str, step: int, scores: Mapping[str, float]) -> None:
        self._call("dev_scored", run_id, step=step, scores=scores)

    @hookimpl
    def run_finished(self, run_id: str, record: Mapping[str, Any]) -> None:
        self._call("run_finished", run_id, record=record)

    def _call(self, hook: str, run_id: str, **values: Any) -> None:
        watch = getattr(self.tracker, hook, None)
        if watch is None or self.failed:
            return
        try:
            watch(run_id=run_id, **copy.deepcopy(values))
        except Exception as error:
            self.failed = True
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            self.tell(run_id, f"tracker '{self.name}' failed and is called no more ({reason}); the run goes on")


def attach(plugins: Plugins, asked: Sequence[str], tell: Tell) -> None:
    """Build the trackers asked for and let them watch.

    Raises SuiteError for a malformed text or a wrong option, PluginError for an unknown tracker or a missing library.
    """
    for number, text in enumerate(dict.fromkeys(asked)):
        part = named(plugins.catalogue, "tracker", text)
        tracker = plugins.catalogue.build("tracker", part)
        plugins.hooks.register(Guarded(part.name, tracker, tell), name=f"tracker {number} {part.name}")


def asked_for(given: Sequence[str] = ()) -> list[str]:
    """What the command line names, else what DALR_BENCH_TRACKERS does."""
    texts = list(given) or os.environ.get(VARIABLE, "").split(";")
    return [text.strip() for text in texts if text.strip()]


@contextmanager
def told_to_workers(asked: Sequence[str]) -> Iterator[None]:
    """Processes that start inside the block are asked for the same trackers."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = ";".join(asked)
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
