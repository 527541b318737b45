"""Every hook there is. A plugin implements those it needs, marked with `dalr_bench.hookimpl`, in the module its
entry point (group `dalr_bench`) names.

Hooks that register take one argument, `register(name, factory)`: the factory's signature is the schema of the component's
options. Hooks that watch may log and draw; nothing they return steers the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import pluggy

from dalr_bench.types import Was

# The version of what plugins build on: the names of `dalr_bench`, the hooks, the files of the contract. The second number
# grows when something is added, the first when something is changed or taken away (tests/plugin/test_surface.py).
PLUGIN_API = "1.3"
PROJECT = "dalr_bench"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Register(Protocol):
    """`register(name, factory)`: `factory` is a class or function; its keyword-only injected names are never options.

    `was` lists names it had before: they keep working for one minor version of the plugin, with a warning.
    """

    def __call__(self, name: str, factory: Callable[..., Any], was: Sequence[Was] = ()) -> None: ...


class Hooks:
    """The specification, as pluggy reads it."""

    @hookspec
    def register_backbones(self, register: Register) -> None:
        """Students. Injected on request: `vocabulary` (the closed word list of the run's sources, maybe empty), `sentences`."""

    @hookspec
    def register_sources(self, register: Register) -> None:
        """Where sentences and pictures come from."""

    @hookspec
    def register_teachers(self, register: Register) -> None:
        """Frozen encoders. Injected on request: `device`, `trained` (opens another run of the grid)."""

    @hookspec
    def register_losses(self, register: Register) -> None:
        """Terms of the objective. Injected on request: `dims`."""

    @hookspec
    def register_evaluators(self, register: Register) -> None:
        """What scores a trained student. Injected on request: `data` (the folder of evaluation data, or None)."""

    @hookspec
    def register_executors(self, register: Register) -> None:
        """What runs the tasks of a grid. Injected on request: `jobs`."""

    @hookspec
    def register_trackers(self, register: Register) -> None:
        """Experiment trackers: objects whose watching hooks are called for the runs that name them."""

    @hookspec
    def register_templates(self, register: Register) -> None:
        """Table formats: the factory returns the text of a Jinja template."""

    @hookspec
    def register_commands(self, register: Register) -> None:
        """Commands of `dalr-bench`: the factory returns a click command."""

    @hookspec
    def run_started(self, run_id: str, config: Mapping[str, Any]) -> None:
        """A run begins: its id and resolved config."""

    @hookspec
    def step_finished(self, run_id: str, step: int, values: Mapping[str, float]) -> None:
        """Called for logged steps (every `train.log_every`): loss, each term, gradient norm, learning rate."""

    @hookspec
    def dev_scored(self, run_id: str, step: int, scores: Mapping[str, float]) -> None:
        """A dev check during training ended."""

    @hookspec
    def run_finished(self, run_id: str, record: Mapping[str, Any]) -> None:
        """The record of a run was written."""

    @hookspec
    def model_exported(self, folder: str, config: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        """A run's model is about to be published from `folder`: add files beside it (results in another tool's form)."""


REGISTERING = {
    "register_backbones": "backbone",
    "register_sources": "source",
    "register_teachers": "teacher",
    "register_losses": "loss",
    "register_evaluators": "evaluator",
    "register_executors": "executor",
    "register_trackers": "tracker",
    "register_templates": "template",
    "register_commands": "command",
}
