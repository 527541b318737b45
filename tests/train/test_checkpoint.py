"""A checkpoint holds all that the next step depends on; one that cannot be written stops nothing."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dalr_bench import DataError, Encoding, LossInputs, LossOutput, TokenBatch
from dalr_bench.config import TrainOptions
from dalr_bench.data.schedule import Schedule
from dalr_bench.data.teachers import TeacherBank
from dalr_bench.data.tokens import DeviceTokens, TokenStore
from dalr_bench.keeping import Keeping
from dalr_bench.stopping import Stop
from dalr_bench.train import checkpoint as module
from dalr_bench.train.checkpoint import Checkpoints, LeaseLostError
from dalr_bench.train.engine import Engine, Stream, Watch
from dalr_bench.train.objective import Objective, Term
from dalr_bench.train.seed import generators, seed_all, seed_torch, set_generators

STEPS = 12


class Normed(nn.Module):
    """Word vectors through a batch norm: running means are state that no optimizer knows."""

    dim = 6

    def __init__(self, dim: int = 6) -> None:
        super().__init__()
        self.words, self.norm, self.frozen = nn.Embedding(30, dim), nn.BatchNorm1d(dim), nn.Linear(2, 2)
        self.frozen.requires_grad_(False)

    def encode(self, tokens: TokenBatch, views: int, states: bool) -> Encoding:
        pooled_NVD = self.norm(self.words(tokens.ids_NL).mean(1))[:, None].expand(-1, views, -1)
        return Encoding(pooled_NVD, pooled_NVD)


class Drawing:
    """A stranger's loss that draws from every generator there is."""

    def __init__(self) -> None:
        self.head = nn.Linear(6, 1)

    def __call__(self, inputs: LossInputs) -> LossOutput:
        noise = random.gauss(0, 1) + float(np.random.rand()) + torch.rand(())
        return LossOutput((self.head(inputs.encoding.projected_NVD[:, 0]) - noise).square().mean(), {})


def engine(dim: int = 6) -> Engine:
    seed_torch(0, "made")
    student, ids = Normed(dim), np.random.default_rng(0).integers(1, 30, 120).astype(np.int32)
    tokens = DeviceTokens(TokenStore(ids, np.arange(0, 121, 5), 0), torch.device("cpu"))
    options = TrainOptions.model_validate({"steps": STEPS, "batch": 6, "lr": 0.05, "dev_every": 5})
    stream, plan = Stream(tokens, TeacherBank({}, {})), Schedule({"text": 24}, options, 0)
    return Engine(
        student, Objective([Term("d", Drawing(), 1.0)]), {"text": stream}, plan, options, 0, torch.device("cpu")
    )


class Died(BaseException):
    pass


def train(folder: Path, made: Engine, die_at: int = 0, **saving: Any) -> tuple[list[dict[str, Any]], Any, Checkpoints]:
    """Events, what came out, the saver. Dev scores fall after the first check, so the best weights are early ones."""
    told: list[dict[str, Any]] = []
    saving = {"keeping": Keeping(steps=2), "stop": Stop(), "steps": STEPS, **saving}
    saver = Checkpoints(folder, told=lambda event: told.append(dict(event)), **saving)

    def step(number: int, steps: int, values: Mapping[str, float]) -> None:
        if number == die_at:
            raise Died

    seed_all(0, "train")
    saver.find()
    return told, made.train(Watch(step, lambda number: -float(number)), saver), saver


def state(made: Engine) -> dict[str, torch.Tensor]:
    return {**made.student.state_dict(), **{f"o.{k}": v for k, v in made.objective.state_dict().items()}}


def equal(one: Engine, other: Engine) -> bool:
    return all(torch.equal(a, b) for a, b in zip(state(one).values(), state(other).values(), strict=True))


@pytest.fixture
def whole(tmp_path: Path) -> tuple[Engine, Any]:
    made = engine()
    return made, train(tmp_path / "whole", made, keeping=Keeping())[1]


# Steps are told before a checkpoint (2, 4, ...) and a dev check (5, 10, 12): death at step 7 comes before the checkpoint of step 8.
@pytest.mark.parametrize("deaths", [[3], [7], [10], [12], [5, 7, 11, 12]], ids=str)
def test_resumed_anywhere_to_the_bit(tmp_path: Path, whole: tuple[Engine, Any], deaths: list[int]) -> None:
    for at in deaths:
        with pytest.raises(Died):
            train(tmp_path, engine(), die_at=at)
    made = engine()
    told, out, _ = train(tmp_path, made)
    assert equal(made, whole[0])
    assert (out.best_step, out.dev_curve) == (whole[1].best_step, whole[1].dev_curve)
    assert out.best_step == 5
    assert set(out.seconds) == {"train", "dev"}
    assert [event["event"] for event in told].count("resumed") == 1


def test_generators_come_back_as_they_were() -> None:
    def draw() -> tuple[float, float, float, float]:
        return random.gauss(0, 1), float(np.random.standard_normal()), float(torch.rand(())), random.random()

    seed_all(3, "x")
    draw()  # leaves a spare gaussian in Python's and NumPy's generators
    before = {name: value.clone() for name, value in generators().items()}
    first = draw()
    set_generators(before)
    assert draw() == first


def test_a_full_disk_costs_the_checkpoint_and_nothing_else(
    tmp_path: Path, whole: tuple[Engine, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "x")

    monkeypatch.setattr(module, "write_checkpoint", full)
    made = engine()
    told, _, _ = train(tmp_path, made)
    assert equal(made, whole[0])
    assert {event["event"] for event in told} == {"unsaved"}
    assert told[0]["text"] == "no checkpoint of step 2: No space left on device"


def test_a_checkpoint_leaves_room_for_the_weights(
    tmp_path: Path, whole: tuple[Engine, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room is looked for before each: when others have filled the disk meanwhile, nothing more is written on the way."""
    monkeypatch.setattr(module, "free_bytes", lambda folder: 100)
    made = engine()
    told, _, _ = train(tmp_path, made)
    assert equal(made, whole[0])
    assert [event["event"] for event in told] == ["checkpoint"] + ["unsaved"] * (len(told) - 1)
    assert [event["step"] for event in told] == [2, 4, 6, 8, 10, 12]
    assert told[1]["text"] == "no checkpoint of step 4: the disk has room left for the weights alone"
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"000000002"}


def test_the_best_weights_are_written_once(tmp_path: Path) -> None:
    with pytest.raises(Died):
        train(tmp_path, engine(), die_at=11)
    newest, older = sorted((tmp_path / "checkpoints").glob("*/best.safetensors"), reverse=True)
    assert newest.samefile(older)
    with pytest.raises(Died):
        train(tmp_path, engine(), die_at=12)  # after a resume too
    assert len({path.stat().st_ino for path in (tmp_path / "checkpoints").glob("*/best.safetensors")}) == 1


def test_without_hard_links_they_are_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "no links here")))
    with pytest.raises(Died):
        train(tmp_path, engine(), die_at=11)
    newest, older = sorted((tmp_path / "checkpoints").glob("*/best.safetensors"), reverse=True)
    assert not newest.samefile(older)
    assert newest.read_bytes() == older.read_bytes()


def test_a_checkpoint_of_another_shape_is_told(tmp_path: Path) -> None:
    with pytest.raises(Died):
        train(tmp_path, engine(), die_at=5)
    with pytest.raises(DataError, match="does not fit the run; remove it"):
        train(tmp_path, engine(dim=5))


def due(**saving: Any) -> Callable[[int], bool]:
    return Checkpoints(Path(), **{"keeping": Keeping(), "stop": Stop(), "told": print, "steps": STEPS, **saving}).due


def test_when_one_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [step for step in range(1, 13) if due(keeping=Keeping(steps=5))(step)] == [5, 10]
    assert [step for step in range(1, 13) if due(keeping=Keeping(retain="last"))(step)] == [STEPS]
    assert not any(map(due(), range(1, 13)))
    assert due(stop=Stop(asked=True))(1)
    timed = due(keeping=Keeping(seconds=60))
    assert not timed(1)
    now = module.time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 61)
    assert timed(2)
    with pytest.raises(LeaseLostError):
        due(lost=lambda: True)(1)


def test_whoever_is_asked_to_leave_saves_and_goes(tmp_path: Path, whole: tuple[Engine, Any]) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, engine(), stop=Stop(asked=True), keeping=Keeping())
    made = engine()
    told, _, _ = train(tmp_path, made, keeping=Keeping())
    assert [event.get("step") for event in told] == [1]
    assert equal(made, whole[0])
