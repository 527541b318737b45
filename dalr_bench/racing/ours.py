"""Our side: the engine as a run uses it, timed where it tells that a part is over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from dalr_bench.config import TrainOptions
from dalr_bench.data.schedule import Schedule
from dalr_bench.data.teachers import Resident, TeacherBank
from dalr_bench.data.tokens import DeviceTokens, token_store
from dalr_bench.plugin.manager import load
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.racing.gate import Gate
from dalr_bench.racing.setting import Setting, Wish
from dalr_bench.train.account import Account
from dalr_bench.train.compiling import compiling
from dalr_bench.train.conflict import Conflict
from dalr_bench.train.engine import Engine, Stream, Watch
from dalr_bench.train.looks import Looks
from dalr_bench.train.objective import Objective, Term
from dalr_bench.train.seed import seed_torch
from dalr_bench.types import Corpus, Dims, Part, TokenBatch

_STREAM = "text"


def run(setting: Setting, gate: Gate) -> None:
    """Train, a step each time the gate lets us. What is compiled is compiled before the first one."""
    catalogue = load(frozenset({"backbone", "loss"})).catalogue
    made = engine(setting, gate.device, catalogue)
    with compiling(made.student, setting.wish.compile, gate.device):
        warm(made)
        told = _Told(0, gate=gate)
        made.looks = Looks(told, Conflict(0))
        made.train(Watch(lambda step, steps, values: None))
        gate.next(told.loss)


def warm(made: Engine) -> None:
    """Gradients of every step to come, thrown away: each shape is compiled. Nothing, where nothing is."""
    if made.options.compile != "none":
        for step in range(made.schedule.steps):
            made.backward(step)
            made.student.zero_grad()
            made.objective.zero_grad()


def options(wish: Wish, steps: int) -> TrainOptions:
    """How every side trains: linear rate, clipping at 1, no decay."""
    found = {"steps": steps, "batch": wish.batch, "precision": wish.precision, "compile": wish.compile}
    return TrainOptions.model_validate({**found, "last_batch": "drop", "account_every": 0})


def schedule(wish: Wish, sentences: int, steps: int) -> Schedule:
    """The order of batches, which every side follows."""
    return Schedule({_STREAM: sentences}, options(wish, steps), wish.seed)


def engine(setting: Setting, device: torch.device, catalogue: Catalogue) -> Engine:
    """Everything a run would have, from the components of the setting."""
    wish, texts = setting.wish, setting.texts()
    seed_torch(wish.seed, "student")
    student = catalogue.build("backbone", _part(setting.student)).to(device)
    tokens = DeviceTokens(token_store(student.tokenizer, Corpus(texts, _digest(texts))), device)
    stored = {f"teacher{k}": _stored(setting, folder, tokens, catalogue) for k, folder in enumerate(setting.teachers)}
    dims = Dims(student.dim, {name: _width(resident) for name, resident in stored.items()})
    terms = [
        Term(label, catalogue.build("loss", _part(part), dims=dims, device=str(device)), 1.0)
        for label, part in setting.losses.items()
    ]
    plan = schedule(wish, len(texts), len(setting.batches))
    stream = Stream(tokens, TeacherBank(stored, {}))
    return Engine(student, Objective(terms).to(device), {_STREAM: stream}, plan, plan.options, wish.seed, device)


def _part(entry: Any) -> Part:
    return Part(entry["name"], entry["options"])


def _digest(texts: list[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _width(resident: Resident) -> int:
    assert isinstance(resident.text, Tensor), "made here"
    return int(resident.text.shape[1])


def _stored(setting: Setting, folder: str, tokens: DeviceTokens, catalogue: Catalogue) -> Resident:
    """A teacher's rows of the sentences that will come up, fp16 at rest as a store may have them; others stay zero."""
    device = tokens.device
    part = Part(setting.student["name"], {**setting.student["options"], "model": folder})
    teacher = catalogue.build("backbone", part).to(device).eval()
    rows = torch.zeros(len(tokens.lengths), teacher.dim, device=device)
    with torch.inference_mode():
        for batch in setting.batches:
            found = torch.as_tensor(batch)
            asked: TokenBatch = tokens.batch(found.numpy(), found.to(device))
            rows[found.to(device)] = teacher.embed(asked)
    return Resident(text=rows.clone())


@dataclass
class _Told(Account):
    """The engine's own laps, passed on to the gate."""

    gate: Gate | None = None
    loss: Tensor | None = None
    _names: dict[str, str] = field(default_factory=lambda: {"batch": "tokenise", "student": "forward"})

    @contextmanager
    def step(self, stream: str, device: torch.device, unlike: bool = False) -> Iterator[None]:
        assert self.gate is not None
        self.gate.next(self.loss)
        self.loss = None
        yield

    def lap(self, part: str, *outputs: Tensor) -> None:
        assert self.gate is not None
        if outputs and outputs[0].ndim == 0:  # a term of the loss, each with weight 1
            self.loss = outputs[0].detach() + (0 if self.loss is None else self.loss)
        name = "clip+optimizer" if part == "optimizer" else self._names.get(part, "forward")
        self.gate.lap(name)

    def backward_ended(self) -> None:
        assert self.gate is not None
        self.gate.lap("backward")
