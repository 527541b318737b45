"""A step off the host, on the device without numbers: whoever asks it for one fails. What runs is the way of a CUDA device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from dalr_bench.data.teachers import Resident, TeacherBank
from dalr_bench.data.tokens import DeviceTokens, token_store
from dalr_bench.plugin.manager import load
from dalr_bench.racing import ours
from dalr_bench.racing.setting import Setting
from dalr_bench.train.engine import Engine, Stream
from dalr_bench.types import Corpus
from tests.racing.test_equal import made

NOWHERE = torch.device("meta")


def nowhere(setting: Setting) -> Engine:
    """The engine of `bench train`, its weights, tokens and stored rows sent to the device without numbers."""
    engine = ours.engine(setting, torch.device("cpu"), load(frozenset({"backbone", "loss"})).catalogue)
    made_here = engine.streams["text"]
    assert isinstance(made_here, Stream)
    tokens = DeviceTokens(token_store(engine.student.tokenizer, Corpus(setting.texts(), "0" * 64)), NOWHERE)
    bank = TeacherBank({name: Resident(text=rows.text.to(NOWHERE)) for name, rows in made_here.teachers.stored.items()}, {})
    engine.device, engine.streams = NOWHERE, {"text": Stream(tokens, bank)}
    engine.student.to(NOWHERE)
    engine.objective.to(NOWHERE)
    return engine


class Sent(TorchDispatchMode):
    """Counts what goes from the host to the device."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = operation(*args, **(kwargs or {}))
        if operation is torch.ops.aten._to_copy.default and args[0].device.type == "cpu" and out.device == NOWHERE:
            self.sizes.append(out.numel())
        return out


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_step_with_stored_teachers_asks_the_device_nothing(tmp_path: Path, pooling: str) -> None:
    engine = nowhere(made(tmp_path, dropout=0.1, steps=2, teachers=2, pooling=pooling))
    for step in range(2):
        # Under this mode nested attention takes the kernel it has on a GPU, where else it would choose by the device.
        with FlopCounterMode(display=False):
            loss, terms = engine.backward(step)
        assert {term.device for term in (loss, *terms.values())} == {NOWHERE}
        assert {"contrast", "teacher0", "teacher1"} <= terms.keys()
    gradients = [weight.grad for weight in engine.student.encoder.encoder.parameters()]
    assert all(gradient is not None and gradient.device == NOWHERE for gradient in gradients)


def test_a_question_would_be_noticed(tmp_path: Path) -> None:
    engine = nowhere(made(tmp_path, dropout=0.1, steps=1))
    with FlopCounterMode(display=False):
        loss, _ = engine.forward(0)
    with pytest.raises((RuntimeError, NotImplementedError)):
        loss.item()


def test_rows_and_places_are_all_that_is_sent(tmp_path: Path) -> None:
    """One copy for the numbers of the rows, one for where their tokens lie; not one a layer."""
    engine = nowhere(made(tmp_path, dropout=0.1, steps=1))
    with FlopCounterMode(display=False), Sent() as sent:
        engine.backward(0)
    rows = len(engine.schedule.at(0)[1])
    assert len(sent.sizes) == 2
    assert sent.sizes[0] == rows


def test_no_padding_is_multiplied(tmp_path: Path) -> None:
    """Linear layers of the whole step cost 6 FLOP a weight and real token; sentences have 3 to 12 tokens."""
    setting = made(tmp_path, dropout=0.1, steps=1, pooling="mean")
    engine = nowhere(setting)
    batch = engine.batch(0)
    with FlopCounterMode(display=False) as counted:
        engine.encode(batch).projected_NVD.sum().backward()
    by_operation = counted.get_flop_counts()["Global"]
    linear = sum(by_operation.get(operation, 0) for operation in (torch.ops.aten.mm, torch.ops.aten.addmm))
    assert batch.tokens.lengths_N is not None
    layers, width, inner, views = 3, 32, 64, 2
    assert linear == 6 * layers * (4 * width**2 + 2 * width * inner) * views * batch.tokens.lengths_N.sum()
    assert batch.tokens.lengths_N.sum() < 0.8 * batch.tokens.ids_NL.numel()
