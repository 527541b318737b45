"""Products of matrices on a CPU by the library that is faster there: the same sums, in another order.

torch multiplies fp32 by MKL, whose kernels favour their maker's processors; oneDNN, which torch carries too, is an
eighth faster elsewhere (measured on AMD EPYC with AVX-512: docs/performance.md). torch reaches it through an operation
of its compiler's; where that is missing or the processor is Intel's, this is plain `F.linear`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F


def linear(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """rows W' + b, [T, in] to [T, out]."""
    lowered = torch.is_autocast_enabled("cpu") or rows.dtype != torch.float32
    if lowered or rows.ndim != 2 or not prefers_onednn():
        return F.linear(rows, weight, bias)
    found: torch.Tensor = _applied(_OneDnn, rows, weight, bias)
    return found


@cache
def prefers_onednn() -> bool:
    """Whether fp32 products go to oneDNN: it is there, its operation works, and the processor is not Intel's."""
    if not torch.backends.mkldnn.is_available() or "GenuineIntel" in _processor():
        return False
    try:
        probe = _product(torch.ones(2, 3), torch.ones(4, 3), None)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return bool((probe == 3).all())


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    return info.read_text(errors="replace")[:4096] if info.is_file() else "GenuineIntel"


def _product(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    return found


def _applied(function: Any, *arguments: Any) -> Any:
    return function.apply(*arguments)  # torch leaves `apply` untyped


class _OneDnn(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Any, weight: Any, bias: Any) -> Any:
        ctx.save_for_backward(rows, weight)
        return _product(rows, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        rows, weight = ctx.saved_tensors
        grad = grad.contiguous()
        to_rows = _product(grad, weight.t(), None) if ctx.needs_input_grad[0] else None
        to_weight = (
            grad.t() @ rows if ctx.needs_input_grad[1] else None
        )  # MKL is as fast here, without a transposed copy
        to_bias = grad.sum(0) if ctx.needs_input_grad[2] else None
        return to_rows, to_weight, to_bias
