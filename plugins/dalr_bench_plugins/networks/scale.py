"""Learned temperature (and bias) of a similarity."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class LogitScale(nn.Module):
    """logits = exp(min(s, log cap)) · C + b with learned scalars s and b; b stays out where `bias` is None.

    CLIP (Radford et al. 2021) learns s and caps the scale at 100; SigLIP (Zhai et al. 2023) learns s and b.
    """

    def __init__(self, scale: float, cap: float | None, bias: float | None, learned: bool) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)), requires_grad=learned)
        self.bias = None if bias is None else nn.Parameter(torch.tensor(float(bias)), requires_grad=learned)
        self.log_cap = None if cap is None else math.log(cap)

    @property
    def scale(self) -> Tensor:
        """The factor in use, a scalar."""
        log_scale: Tensor = self.log_scale if self.log_cap is None else self.log_scale.clamp_max(self.log_cap)
        return log_scale.exp()

    def forward(self, cos_NM: Tensor) -> Tensor:
        logits_NM = self.scale * cos_NM
        return logits_NM if self.bias is None else logits_NM + self.bias
