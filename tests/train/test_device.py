"""The device is chosen, never assumed; what is asked for and absent is told."""

from __future__ import annotations

import pytest
import torch

from dalr_bench import TrainingError
from dalr_bench.train.device import autocast, choose, resolve_precision


@pytest.mark.parametrize("there", [True, False])
def test_auto_takes_what_is_there(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert choose().type == ("cuda" if there else "cpu")
    assert choose("cpu").type == "cpu"


def test_cuda_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TrainingError, match="no CUDA device"):
        choose("cuda")


def test_precision_by_device() -> None:
    assert resolve_precision("auto", torch.device("cuda")) == "bf16"
    assert resolve_precision("auto", torch.device("cpu")) == "fp32"
    assert resolve_precision("bf16", torch.device("cpu")) == "bf16"


def test_bf16_is_an_autocast_and_fp32_is_none() -> None:
    left, right = torch.ones(2, 2), torch.ones(2, 2)
    with autocast("bf16", torch.device("cpu")):
        assert (left @ right).dtype == torch.bfloat16
    with autocast("fp32", torch.device("cpu")):
        assert (left @ right).dtype == torch.float32
