"""AdamW with decoupled decay, a learning rate that is a function of the step, gradient clipping."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from dalr_bench.config import TrainOptions
from dalr_bench.train.distributed import is_part


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


def clip(weights: Sequence[Tensor], limit: float) -> Tensor:
    """Scale gradients to a joint norm of at most `limit`; returns the norm before. Where weights are cut it is that of all parts."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    cut = [gradient for gradient in gradients if is_part(gradient)]
    if not cut:
        return nn.utils.clip_grad_norm_(weights, limit, foreach=True)
    rest = [gradient for gradient in gradients if not is_part(gradient)]
    of_parts = nn.utils.get_total_norm(cut)
    of_all = of_parts.full_tensor() if is_part(of_parts) else of_parts
    norm: Tensor = torch.stack([of_all, nn.utils.get_total_norm(rest).to(of_all.device)]).norm()
    torch._foreach_mul_([gradient.to_local() for gradient in cut] + rest, (limit / (norm + 1e-6)).clamp(max=1.0))
    return norm


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
