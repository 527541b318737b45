"""From the host to where a step computes, without waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def sent(numbers: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the host on `device`, as it is where that is the host. To CUDA it goes from pinned memory: neither side waits
    for the copy, and torch keeps the pages until it is done."""
    if device.type == "cuda":
        return numbers.pin_memory().to(device, non_blocking=True)
    return numbers.to(device)
