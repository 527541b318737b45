"""`train.compile`: a student that trains by compiled code for as long as a run lasts, or one line that says why not.

Compiled code rounds otherwise and draws other dropout masks than the plain step, so the setting is part of a run's identity.
A step's draws stay a function of (seed, step): torch is seeded anew for every step, and inductor's seeds come from there.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import torch

from dalr_bench.cache import cache_root
from dalr_bench.errors import SuiteError, TrainingError
from dalr_bench.protocols import Compiling, CompilingBackbone

# Shapes are few by construction; torch's own limit of 8 is meant for code whose shapes nobody chose.
_SHAPES = 256


def ready(mode: Compiling, device: torch.device) -> None:
    """Find out before anything is prepared whether code can be compiled here: a function of one line is, once a process.

    Raises SuiteError for CUDA graphs without CUDA, TrainingError where the compiler (C++ on a CPU, Triton on a GPU) fails.
    """
    if mode == "none":
        return
    if mode == "graphs" and device.type != "cuda":
        raise SuiteError(f"train.compile: graphs: CUDA graphs need a CUDA device, and this run is on {device.type}; take default")
    # What was compiled once is found again by other processes, and by the run that goes on.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_root() / "inductor"))
    if why := _broken(device.type):
        needs = "a C++ compiler and Python's headers" if device.type == "cpu" else "Triton and a C compiler"
        raise TrainingError(f"train.compile: {mode}: code cannot be compiled here (it needs {needs}): {why}")


@cache
def _broken(device: str) -> str:
    """Why compiling fails, in a line; empty where it works."""
    one = torch.ones(8, device=device, requires_grad=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's compiler imports parts that torch itself calls outdated
            _compiled(_line)(one).sum().backward()
    except Exception as error:  # whatever a compiler's driver raises
        lines = [text.strip() for text in str(error).splitlines()]
        told = [text for text in lines if text and not text.endswith("raised:")]
        return told[0] if told else type(error).__name__
    return ""


def _line(one: torch.Tensor) -> torch.Tensor:
    return (one + 1).sigmoid()


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, fullgraph=True, dynamic=False)


@contextmanager
def compiling(student: Any, mode: Compiling, device: torch.device) -> Iterator[None]:
    """The student trains by compiled code inside the block; what was compiled is let go behind it.

    Raises SuiteError where the backbone or the device cannot, TrainingError where no compiler works.
    """
    if mode == "none":
        yield
        return
    ready(mode, device)
    if not isinstance(student, CompilingBackbone):
        raise SuiteError(f"train.compile: {type(student).__name__} has no forward to compile; leave it at none")
    student.compile_encode(mode)
    try:
        with ExitStack() as stack:
            _settings(stack)
            yield
    finally:
        student.compile_encode("none")
        torch.compiler.reset()


def _settings(stack: ExitStack) -> None:
    """A graph per shape, and graphs that may be walked back more than once (gradient analysis)."""
    dynamo: Any = torch._dynamo.config
    functorch: Any = torch._functorch.config
    stack.enter_context(dynamo.patch(recompile_limit=_SHAPES, accumulated_recompile_limit=4 * _SHAPES))
    stack.enter_context(functorch.patch(donated_buffer=False))


def step_begins(mode: Compiling) -> None:
    """What recorded graphs gave in the step before may be overwritten now."""
    if mode == "graphs":
        torch.compiler.cudagraph_mark_step_begin()
