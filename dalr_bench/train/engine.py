"""The loop, readable from top to bottom. No tokenizer, no string, no teacher forward and no question to the device per step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import Any, Protocol

import torch
from torch import Tensor

from dalr_bench.config import TrainOptions
from dalr_bench.data.schedule import Schedule
from dalr_bench.data.shards import Numbers
from dalr_bench.data.teachers import TeacherBank
from dalr_bench.data.tokens import DeviceTokens, PagedTokens
from dalr_bench.errors import TrainingError
from dalr_bench.sending import sent
from dalr_bench.train import gradcache
from dalr_bench.train.compiling import compiling, step_begins
from dalr_bench.train.course import Course, Keeper, Saver, Trained
from dalr_bench.train.device import autocast, keep_pages, resolve_precision
from dalr_bench.train.distributed import Group, equal
from dalr_bench.train.handing_on import share_state
from dalr_bench.train.looks import Looks, looks
from dalr_bench.train.objective import Objective, check_encoding, tensors
from dalr_bench.train.optim import clip, optimizer, set_rate
from dalr_bench.train.recompute import recomputing
from dalr_bench.train.seed import derive, seed_torch
from dalr_bench.train.words import Word
from dalr_bench.types import Batch, Encoding, LossInputs


@dataclass(frozen=True)
class Stream:
    """One corpus, ready on the device."""

    tokens: DeviceTokens | PagedTokens
    teachers: TeacherBank
    image_of: Tensor | None = None
    pixels: Tensor | None = None
    columns: Sequence[DeviceTokens | PagedTokens] = ()

    @cached_property
    def host_image_of(self) -> Numbers | None:
        """`image_of` on the host, for rows that are gathered there."""
        return None if self.image_of is None else self.image_of.cpu().numpy()


class InWindows(Protocol):
    """A stream that is there one window at a time, made ready between steps."""

    def at(self, epoch: int, window: int) -> Stream: ...


@dataclass(frozen=True)
class Watch:
    """Who looks on: `step` gets logged values, `dev` scores the student and returns the number to select by."""

    step: Callable[[int, int, Mapping[str, float]], None]
    dev: Callable[[int], float] | None = None


@dataclass
class Engine:
    """Trains one student. The student is a backbone that is an `nn.Module`; both it and the objective are already on `device`."""

    student: Any
    objective: Objective
    streams: Mapping[str, Stream | InWindows]
    schedule: Schedule
    options: TrainOptions
    seed: int
    device: torch.device
    group: Group = field(default_factory=Group)
    looks: Looks = field(init=False)

    def __post_init__(self) -> None:
        self.looks = looks(self.options)

    def train(self, watch: Watch, saver: Saver | None = None) -> Trained:
        """Run all steps and leave the kept weights in the student. Raises TrainingError for a loss that is not finite."""
        with (
            recomputing(self.student, self.options.gradient_checkpointing),
            compiling(self.student, self.options.compile, self.device),
        ):
            return self._train(watch, saver)

    def _train(self, watch: Watch, saver: Saver | None) -> Trained:
        steps = self.schedule.steps
        result = Trained(steps, best_step=0)
        if steps == 0:
            return result
        keep_pages(self.device)
        adam = optimizer(self.student, self.objective, self.options)
        share_state(adam, self.group)
        keeper = Keeper(self.student, self.objective)
        course = Course(self.student, self.objective, adam, keeper, result)
        self.group.say(Word.TRAIN)
        self._steps(watch, course, saver)
        if watch.dev is not None and self.options.keep == "best":
            keeper.restore()
        else:
            result.best_step = steps
        self.align()
        course.clock()
        result.peak_bytes = torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else 0
        result.peak_bytes = max(result.peak_bytes, self.looks.account.highest)
        result.costs = self.looks.account.costs()
        return result

    def _steps(self, watch: Watch, course: Course, saver: Saver | None) -> None:
        """From the newest checkpoint to the last step."""
        steps, log = self.schedule.steps, StepLog(watch, self.schedule.steps)
        start = saver.load(course) if saver is not None else 0
        self.align()
        course.clock()
        if start and self._dev_due(start, watch) and not course.checked(start):
            self._check(start, watch, course, saver)
        for step in range(start, steps):
            self.group.say(Word.STEP, step)
            self.stream(step)  # where a window begins, it is made ready before the step
            values, rate = self.update(step, course.adam)
            log.add(step, values, rate, self.looks.pulls)
            if (step + 1) % self.options.log_every == 0 or step + 1 == steps:
                log.flush()
            if self._dev_due(step + 1, watch):
                log.flush()
                self._check(step + 1, watch, course, saver)
            if saver is not None and saver.due(step + 1):
                log.flush()
                saver.save(step + 1, course)

    def align(self) -> None:
        """Give all processes the first one's weights."""
        self.group.say(Word.EQUAL)
        equal(self.group, (self.student, self.objective))

    def update(self, step: int, adam: torch.optim.Optimizer) -> tuple[dict[str, Tensor], float]:
        """One step: gradients, clipping, the optimizer. Returns what is logged of it, on the device, and its rate."""
        with self.looks.step(step, self.schedule.at(step)[0], self.device):
            step_begins(self.options.compile)
            rate = self.options.lr * set_rate(adam, step, self.schedule.steps, self.options)
            loss, terms = self.backward(step)
            self.looks.account.backward_ended()
            weights = [weight for group in adam.param_groups for weight in group["params"]]
            norm = clip(weights, self.options.clip or float("inf"))
            adam.step()
            adam.zero_grad(set_to_none=True)
            self.looks.lap("optimizer")
        return {"loss": loss.detach(), **terms, "grad_norm": norm.detach()}, rate

    def backward(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """One step's gradients, in `.grad`; its loss and terms. A batch past memory goes piece by piece (`gradcache`), one of
        several processes encodes its share (`distributed`)."""
        size = self.options.micro_batch
        if self.group.size > 1 or (size is not None and size < len(self.schedule.at(step)[1])):
            return gradcache.backward(self, step, size)
        loss, terms = self.forward(step)
        self.looks.pull(step, self.student)
        torch.autograd.backward(loss)
        return loss, terms

    def forward(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """One step's loss with its graph, and its detached terms. Dropout and the losses' draws depend on (seed, step) alone."""
        batch = self.batch(step)
        seed_torch(self.seed, "step", step)
        self.student.train()
        self.objective.train()
        with self.autocast():
            return self.losses(step, batch, self.encode(batch))

    def autocast(self) -> AbstractContextManager[object]:
        """The precision of a step."""
        return autocast(resolve_precision(self.options.precision, self.device), self.device)

    def losses(self, step: int, batch: Batch, encoding: Encoding) -> tuple[Tensor, dict[str, Tensor]]:
        """The objective of a batch that is encoded."""
        check_encoding(encoding, len(batch.rows_N))
        self.looks.lap("student", *tensors(encoding))
        generator = torch.Generator().manual_seed(derive(self.seed, "losses", step))
        total, terms = self.objective(LossInputs(batch, encoding, batch.teachers, {}, step, generator), self.looks.lap)
        return total, terms

    def encode(self, batch: Batch) -> Encoding:
        """Dropout views in one forward; or, where rows have columns, one pass for the sentences and one for each column."""
        states = self.objective.needs_tokens
        if not batch.columns:
            encoding: Encoding = self.student.encode(
                batch.tokens, views=self.objective.views(batch.stream), states=states
            )
            return encoding
        first = self.student.encode(batch.tokens, views=1, states=states)
        rest = [self.student.encode(tokens, views=1, states=False) for tokens in batch.columns]
        pooled_NVD = torch.cat([first.pooled_NVD, *(other.pooled_NVD for other in rest)], dim=1)
        projected_NVD = torch.cat([first.projected_NVD, *(other.projected_NVD for other in rest)], dim=1)
        return Encoding(pooled_NVD, projected_NVD, first.states_NVLD)

    def stream(self, step: int) -> Stream:
        """The step's stream; of one in windows the window that holds the step."""
        place = self.schedule.place(step)
        found = self.streams[place.stream]
        return found if isinstance(found, Stream) else found.at(place.epoch, place.window)

    def pieces(self, step: int, size: int) -> Iterator[Batch]:
        """The tokens of a step's own rows, `size` rows at a time: what encoding needs of a batch."""
        name, rows = self.schedule.at(step)
        rows = self.group.share(rows)
        stream = self.stream(step)
        for start in range(0, len(rows), size):
            piece = rows[start : start + size]
            piece_N = sent(torch.from_numpy(piece), self.device)
            columns = [column.batch(piece, piece_N) for column in stream.columns]
            yield Batch(name, piece_N, stream.tokens.batch(piece, piece_N), None, {}, None, columns)

    def batch(self, step: int) -> Batch:
        """Gather a step's rows: integers and stored features only."""
        name, rows = self.schedule.at(step)
        stream = self.stream(step)
        rows_N = sent(torch.from_numpy(rows), self.device)
        images_N = None if stream.image_of is None else stream.image_of[rows_N]
        pixels = None if stream.pixels is None or images_N is None else stream.pixels[images_N]
        keys = stream.host_image_of
        teachers = stream.teachers.gather(rows_N, images_N, (rows, None if keys is None else keys[rows]))
        columns = [column.batch(rows, rows_N) for column in stream.columns]
        found = Batch(name, rows_N, stream.tokens.batch(rows, rows_N), images_N, teachers, pixels, columns)
        self.looks.lap("batch")
        return found

    def _dev_due(self, step: int, watch: Watch) -> bool:
        return watch.dev is not None and (step % self.options.dev_every == 0 or step == self.schedule.steps)

    def _check(self, step: int, watch: Watch, course: Course, saver: Saver | None) -> None:
        assert watch.dev is not None
        course.clock()
        try:
            value = watch.dev(step)
        except KeyboardInterrupt:
            if saver is not None:
                saver.save(step, course)  # the check is made again when the run goes on
            raise
        course.clock("dev")
        course.result.dev_curve.append({"step": step, "value": value})
        if course.keeper.offer(value):
            course.result.best_step = step


@dataclass
class StepLog:
    """Values stay on the device until they are logged; one transfer for all of them, and NaN is found there and named.

    `seen` beside a step's values is what looked on found: left out where it is not a number, never refused.
    """

    watch: Watch
    steps: int
    _kept: list[tuple[int, dict[str, Tensor], float, dict[str, Tensor]]] = field(default_factory=list)

    def add(self, step: int, values: dict[str, Tensor], rate: float, seen: dict[str, Tensor] | None = None) -> None:
        self._kept.append((step, values, rate, seen or {}))

    def flush(self) -> None:
        """Hand every kept step to the watcher. Raises TrainingError naming the first step and its terms that are not finite."""
        if not self._kept:
            return
        flat = torch.stack(
            [
                value.float().reshape(())
                for _, values, _, seen in self._kept
                for value in (*values.values(), *seen.values())
            ]
        ).tolist()
        numbers = iter(flat)
        for step, values, rate, seen in self._kept:
            row = {name: next(numbers) for name in values}
            found = {name: value for name in seen if isfinite(value := next(numbers))}
            self._refuse_nan(step, row)
            self.watch.step(step + 1, self.steps, {**row, **found, "rate": rate})
        self._kept.clear()

    @staticmethod
    def _refuse_nan(step: int, row: Mapping[str, float]) -> None:
        bad = [name for name, value in row.items() if value != value or abs(value) == float("inf")]
        if bad:
            named = [name for name in bad if name not in ("loss", "grad_norm")] or bad
            seen = ", ".join(f"{name}={row[name]}" for name in row)
            raise TrainingError(f"step {step + 1}: not finite: {', '.join(named)} (all terms: {seen})")
