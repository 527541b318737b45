"""AdamW with decoupled decay, a learning rate that is a function of the step, gradient clipping."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from dalr_bench.config import TrainOptions


def optimizer(student: nn.Module, objective: nn.Module, options: TrainOptions) -> torch.optim.AdamW:
    """Groups: student and losses' own parts, each with and without decay (biases and norms never decay)."""
    groups = [*_groups(student, options.lr, options), *_groups(objective, options.head_lr or options.lr, options)]
    return torch.optim.AdamW(groups, lr=options.lr, betas=options.betas, eps=options.eps, fused=True)


def _groups(module: nn.Module, lr: float, options: TrainOptions) -> Iterable[dict[str, object]]:
    parameters = [p for p in module.parameters() if p.requires_grad]
    for decay, chosen in (
        (options.weight_decay, [p for p in parameters if p.ndim > 1]),
        (0.0, [p for p in parameters if p.ndim <= 1]),
    ):
        if chosen:
            yield {"params": chosen, "lr": lr, "base_lr": lr, "weight_decay": decay}


def set_rate(optimizer: torch.optim.Optimizer, step: int, steps: int, options: TrainOptions) -> float:
    """Set every group's rate for a step; returns the factor. `linear` falls to zero at the end, after `warmup` · steps."""
    factor = rate_factor(step, steps, options)
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
    return factor


def rate_factor(step: int, steps: int, options: TrainOptions) -> float:
    """In [0, 1]: rises linearly through the warm-up, then falls linearly, by a half cosine, or stays."""
    warm = options.warmup * steps
    if step < warm:
        return (step + 1) / max(1.0, warm)
    left = (steps - step) / max(1.0, steps - warm)
    if options.schedule == "constant":
        return 1.0
    if options.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (1 - left)))
    return left
