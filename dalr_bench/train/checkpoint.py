"""A course of training on disk: weights, moments, best weights and generators as safetensors, the rest as JSON."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from dalr_bench.errors import DataError
from dalr_bench.keeping import Keeping
from dalr_bench.record.checkpoints import newest_checkpoint, write_checkpoint
from dalr_bench.record.files import load_json, write_json
from dalr_bench.record.space import free_bytes
from dalr_bench.stopping import Stop
from dalr_bench.train.course import Course
from dalr_bench.train.seed import generators, set_generators
from dalr_bench.train.weights import joined, read_tensors, split, write_tensors

_WEIGHTS, _MOMENTS, _BEST, _GENERATORS = (
    f"{name}.safetensors" for name in ("weights", "moments", "best", "generators")
)
_STATE = "state.json"
PARTS = 4  # a checkpoint is about so many times the weights: themselves, two moments, the best ones


class LeaseLostError(Exception):
    """The run folder belongs to another process now."""


@dataclass
class Checkpoints:
    """Implements `course.Saver` in a run folder. `told` gets an event for each one that is written, used or found damaged.

    A checkpoint that cannot be written (a full disk) is told and left out: training needs none to go on.
    """

    folder: Path
    keeping: Keeping
    stop: Stop
    told: Callable[[Mapping[str, Any]], Any]
    steps: int = 0
    lost: Callable[[], bool] = lambda: False
    synced: Callable[[], Any] = lambda: None  # brings the step log to the disk, before a checkpoint says how far it goes
    _last: float = field(default_factory=time.monotonic)
    _size: int = 0  # of the last one
    _linked: tuple[int, Path] | None = None
    _found: tuple[int, Path] | None = None

    def find(self) -> int:
        """The step of the newest whole checkpoint; 0 where there is none."""
        self._found = newest_checkpoint(self.folder, lambda text: self.told({"event": "damaged", "text": text}))
        return self._found[0] if self._found else 0

    def load(self, course: Course) -> int:
        """Put what was found into the course; 0 where nothing was. Raises DataError where it is of another run."""
        if self._found is None:
            return 0
        started = time.perf_counter()
        step, place = self._found
        try:
            _read(place, course)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise DataError(f"{place}: this checkpoint does not fit the run; remove it: {error}") from error
        self._linked = (course.result.best_step, place) if course.keeper.weights is not None else None
        self.told({"event": "resumed", "step": step, "ms": _ms(started)})
        return step

    def due(self, step: int) -> bool:
        """Whether the course should be saved after this step. Raises LeaseLostError where the folder is not ours any more."""
        if self.lost():
            raise LeaseLostError("another process took this run over: no heartbeat of this one was seen for too long")
        if self.stop.asked or (step == self.steps and self.keeping.retain == "last"):
            return True
        if self.keeping.steps is not None:
            return step % self.keeping.steps == 0
        return self.keeping.seconds is not None and time.monotonic() - self._last >= self.keeping.seconds

    def save(self, step: int, course: Course) -> None:
        """Write a checkpoint; then raises KeyboardInterrupt if the process was asked to leave."""
        started = time.perf_counter()
        course.clock()
        try:
            self.synced()
            self._look_for_room()
            self._size = write_checkpoint(self.folder, step, lambda place: self._write(place, course))
            self.told({"event": "checkpoint", "step": step, "ms": _ms(started), "bytes": self._size})
            best = self.folder / "checkpoints" / f"{step:09d}"
            self._linked = (course.result.best_step, best) if course.keeper.weights is not None else None
        except OSError as error:
            self.told({"event": "unsaved", "step": step, "text": f"no checkpoint of step {step}: {_reason(error)}"})
        self._last = time.monotonic()
        self.stop.leave()

    def _look_for_room(self) -> None:
        """For as much as the last one took, and for what is written at the run's end: the weights, twice. Raises OSError."""
        if free_bytes(self.folder) < self._size * (PARTS + 2) // PARTS:
            raise OSError(errno.ENOSPC, "the disk has room left for the weights alone")

    def _write(self, place: Path, course: Course) -> None:
        write_tensors(place / _WEIGHTS, joined(course.student.state_dict(), course.objective.state_dict()))
        write_tensors(place / _MOMENTS, _moments(course))
        write_tensors(place / _GENERATORS, generators())
        if course.keeper.weights is not None:
            self._write_best(place / _BEST, course)
        result = course.result
        best = course.keeper.best if course.keeper.weights is not None else None
        document = {"best": best, "best_step": result.best_step, "dev_curve": result.dev_curve, "seconds": result.seconds}
        write_json(place / _STATE, document)

    def _write_best(self, path: Path, course: Course) -> None:
        """The best weights seldom change: a second name for the file of the last checkpoint, where the disk knows such."""
        if self._linked is not None and self._linked[0] == course.result.best_step:
            try:
                os.link(self._linked[1] / _BEST, path)
                return
            except OSError:
                path.unlink(missing_ok=True)
        assert course.keeper.weights is not None
        write_tensors(path, joined(*course.keeper.weights))


def _read(place: Path, course: Course) -> None:
    state = load_json(place / _STATE)
    student, objective = split(read_tensors(place / _WEIGHTS))
    course.student.load_state_dict(student)
    course.objective.load_state_dict(objective)
    _set_moments(course, read_tensors(place / _MOMENTS))
    if state["best"] is not None:
        course.keeper.best = float(state["best"])
        course.keeper.weights = split(read_tensors(place / _BEST))
    course.result.best_step = int(state["best_step"])
    course.result.dev_curve = [dict(point) for point in state["dev_curve"]]
    course.result.seconds = {str(part): float(value) for part, value in state["seconds"].items()}
    set_generators(read_tensors(place / _GENERATORS))


def _moments(course: Course) -> dict[str, Tensor]:
    state: Mapping[int, Mapping[str, Tensor]] = course.adam.state_dict()["state"]
    return {f"{index}.{name}": value for index, values in state.items() for name, value in values.items()}


def _set_moments(course: Course, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    course.adam.load_state_dict({"state": state, "param_groups": course.adam.state_dict()["param_groups"]})


def _ms(started: float) -> float:
    return round(1000 * (time.perf_counter() - started), 1)


def _reason(error: OSError) -> str:
    return " ".join((error.strerror or str(error)).split())
