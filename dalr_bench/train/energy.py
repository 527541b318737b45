"""The energy counter of an NVIDIA device (NVML): joules since the driver was loaded. Nothing is estimated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Joules = Callable[[], float | None]


def unknown() -> float | None:
    """No counter."""
    return None


def joules_of(device: torch.device) -> Joules:
    """What reads the device's counter; `unknown` off CUDA, without nvidia-ml-py or on devices before Volta."""
    if device.type != "cuda":
        return unknown
    try:
        import pynvml
    except ImportError:
        return unknown
    try:
        pynvml.nvmlInit()
        # By its number CUDA_VISIBLE_DEVICES could mean another one: the UUID means this one.
        uuid = str(torch.cuda.get_device_properties(device).uuid)
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError:
        return unknown
    return lambda: _read(pynvml, handle)


def _read(pynvml: Any, handle: Any) -> float | None:
    try:
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3  # it counts millijoules
    except pynvml.NVMLError:
        return None
