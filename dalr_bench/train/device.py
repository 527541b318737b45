"""Where a run computes: a CUDA device where there is one, the CPU where there is none."""

from __future__ import annotations

import ctypes
import os
from contextlib import AbstractContextManager, nullcontext

import torch

from dalr_bench.errors import TrainingError
from dalr_bench.record.environment import asked_to_be_deterministic


def choose(wanted: str = "auto") -> torch.device:
    """`auto`, `cpu` or `cuda`. Raises TrainingError where CUDA was asked for and is not there."""
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise TrainingError("--device cuda: no CUDA device is visible to torch; use --device auto or cpu")
    device = torch.device("cuda" if there and wanted != "cpu" else "cpu")
    if asked_to_be_deterministic():
        be_deterministic(device)
    return device


def be_deterministic(device: torch.device) -> None:
    """Let torch use only algorithms that give the same bits every time on one machine, and refuse operations that have
    none (RuntimeError names them). cuBLAS reads its workspace's form from the environment when CUDA starts. On a CPU
    sums are cut by the number of threads, which executors and `--jobs` change: there it is one."""
    if device.type == "cpu":
        torch.set_num_threads(1)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False


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


# glibc's mallopt; the GNU C Library's manual, Malloc Tunable Parameters. A threshold of -1 is never reached: a large
# encoder's step may free more than the 2 GiB that an int could say.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_NEVER = -1


def keep_pages(device: torch.device) -> bool:
    """On a CPU, let this process keep what its steps free: a step asks for the same blocks again, and each new page
    costs a fault and a clearing. False where the C library is not glibc; then nothing changes but the time.
    """
    if device.type != "cpu":
        return False
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  an AttributeError elsewhere
    except (OSError, AttributeError):
        return False
    wanted = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, 64 << 20))
    return all(library.mallopt(name, value) == 1 for name, value in wanted)
