"""Where a run computes: a CUDA device where there is one, the CPU where there is none."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from dalr_bench.errors import TrainingError


def choose(wanted: str = "auto") -> torch.device:
    """`auto`, `cpu` or `cuda`. Raises TrainingError where CUDA was asked for and is not there."""
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise TrainingError("--device cuda: no CUDA device is visible to torch; use --device auto or cpu")
    return torch.device("cuda" if there and wanted != "cpu" else "cpu")


def resolve_precision(precision: str, device: torch.device) -> str:
    """`auto` is bf16 autocast on CUDA and fp32 on a CPU."""
    if precision == "auto":
        return "bf16" if device.type == "cuda" else "fp32"
    return precision


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """The autocast of a step or an encoding pass."""
    if precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
