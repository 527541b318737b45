"""The device is chosen, never assumed; what is asked for and absent is told."""

from __future__ import annotations

import subprocess
import sys

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


def test_pages_are_kept_on_a_cpu_alone() -> None:
    """In a process of its own: what is freed and asked for again costs no new pages."""
    code = (
        "import resource, torch\n"
        "from dalr_bench.train.device import keep_pages\n"
        "def faults():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    for _ in range(5): torch.ones(16 << 20)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "torch.set_num_threads(1)\n"
        "plain = faults()\n"
        "kept = keep_pages(torch.device('cpu'))\n"
        "faults()\n"
        "print(keep_pages(torch.device('meta')), kept, plain, faults())\n"
    )
    elsewhere, kept, plain, after = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert elsewhere == "False"
    if kept == "True":
        assert int(after) < int(plain) / 2


def test_more_than_two_gigabytes_are_kept_too() -> None:
    """A step of an encoder of BERT's size may free more than that. Nothing is written into them, so no memory is used."""
    code = (
        "import ctypes, torch\n"
        "from dalr_bench.train.device import keep_pages\n"
        "kept, end = keep_pages(torch.device('cpu')), ctypes.CDLL(None).sbrk\n"
        "end.restype = ctypes.c_void_p\n"
        "states = torch.empty(3 << 30, dtype=torch.uint8)\n"
        "there = end(0)\n"
        "del states\n"
        "print(kept, there == end(0))\n"
    )
    kept, same = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert same == "True" or kept == "False"
