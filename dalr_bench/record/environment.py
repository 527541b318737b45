"""Where a run ran: enough to say why two numbers differ."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from dalr_bench.plugin.registry import Catalogue

_OURSELVES = "dalr-bench"
DETERMINISTIC = "DALR_BENCH_DETERMINISTIC"


def environment(device: str | None = None, catalogue: Catalogue | None = None) -> dict[str, Any]:
    """The `environment` of a record: machine, software, commit, and the plugins' distributions.

    `device` is what the run trained on, in words (`cpu`, `cuda: NVIDIA H200`); it is given, because nothing here
    imports torch. `memory_bytes` is None where the system does not tell, `threads` (torch's, of one operation) in a
    process that computes nothing.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": cores(),
        "memory_bytes": _memory_bytes(),
        "device": device,
        "threads": _threads(),
        "deterministic": asked_to_be_deterministic(),
        "gpu": gpu(),
        "commit": _commit(Path.cwd()),
        "dalr_bench": _version(_OURSELVES),
        "libraries": {name: found for name in _libraries() if (found := _version(name)) is not None},
        "plugins": {} if catalogue is None else distributions((c.distribution, c.version) for c in catalogue),
    }


def asked_to_be_deterministic() -> bool:
    """Whether `run --deterministic` was said, here or to the process that started this one."""
    return os.environ.get(DETERMINISTIC) == "1"


def _threads() -> int | None:
    # The name alone may stand for a module that is not loaded yet (plugins import torch lazily).
    return int(sys.modules["torch"].get_num_threads()) if "torch._C" in sys.modules else None


def this_device() -> dict[str, Any]:
    """What times are good for: processor, cores, and the GPU that `--device auto` would take."""
    return {"cpu": _cpu(), "cores": cores(), "gpu": gpu()}


def ran_on(environment: Mapping[str, Any], device: Mapping[str, Any]) -> bool:
    """Whether a record's environment is such a device, and the run used its GPU where there is one."""
    used = str(environment.get("device") or "").partition(":")[0]
    return all(environment.get(key) == value for key, value in device.items()) and (used == "cuda") == bool(device["gpu"])


def gpu() -> str | None:
    """The first GPU's name, as the driver's own files tell it; None without an NVIDIA driver."""
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("Model")), None)
    return None


def cores() -> int:
    """Cores this process may use: a container's share, not the machine's."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def distributions(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Name → version of every distribution that registered something."""
    return dict(sorted(set(found)))


def _libraries() -> list[str]:
    """What this distribution says it needs, without its extras: its metadata knows, so no list is kept twice."""
    try:
        needed = requires(_OURSELVES) or []
    except PackageNotFoundError:
        return []
    return sorted(re.split(r"[^A-Za-z0-9._-]", line)[0] for line in needed if "extra ==" not in line)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _commit(folder: Path) -> str | None:
    """The commit of the work tree around `folder`, with `+` where tracked files differ from it; None outside git."""
    hash_ = _git(folder, "rev-parse", "HEAD")
    if not hash_:
        return None
    return hash_ + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
