"""Looking changes nothing: what evaluation borrows, it gives back to the bit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def forked_rng() -> Iterator[None]:
    """Restore the states of Python's, NumPy's and torch's generators (CPU and every CUDA device) on the way out."""
    python, numpy = random.getstate(), np.random.get_state()
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


@contextmanager
def eval_mode(backbone: Any) -> Iterator[None]:
    """Every submodule in eval mode inside the block; each one's own flag afterwards (a frozen part stays frozen)."""
    modules = list(backbone.modules()) if isinstance(backbone, torch.nn.Module) else []
    flags = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, flag in zip(modules, flags, strict=True):
            module.training = flag
