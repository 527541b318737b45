"""Products of matrices on a CPU by the library that is faster there: the same sums, in another order.

torch multiplies fp32 by MKL, whose kernels favour their maker's processors; oneDNN, which torch carries too, is an
eighth faster elsewhere (102 against 89 GFLOP/s on an AMD EPYC with AVX-512, 25 November 2026). torch reaches it through operations
of its compiler's; where those are missing or the processor is Intel's, this is plain `F.linear`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F


def linear(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """rows W' + b, [T, in] to [T, out]; `weight` as it is, or `ready` where no gradient is asked for."""
    if rows.ndim != 2 or not _goes_to_onednn(rows.dtype):
        return F.linear(rows, weight, bias)
    found: torch.Tensor = (
        _applied(_OneDnn, rows, weight, bias) if torch.is_grad_enabled() else _product(rows, weight, bias)
    )
    return found


def linear_gelu(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor | None:
    """GELU(rows W' + b) in one pass, for forwards nobody asks a gradient of; None where products do not go to oneDNN."""
    if rows.ndim != 2 or not _goes_to_onednn(rows.dtype):
        return None
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "gelu", [], "none")
    return found


def ready(weight: torch.Tensor, rows: int) -> torch.Tensor:
    """`weight` [out, in] for many forwards of about `rows` rows: in oneDNN's own order, or cast as autocast would.

    Products are equal to the bit; without this every call pays the reordering or the cast again.
    """
    if torch.is_autocast_enabled("cpu"):
        return weight.detach().to(torch.get_autocast_dtype("cpu"))
    return _reordered(weight.detach(), rows) if _goes_to_onednn(weight.dtype) else weight.detach()


def _goes_to_onednn(dtype: torch.dtype) -> bool:
    return dtype == torch.float32 and not torch.is_autocast_enabled("cpu") and prefers_onednn()


@cache
def prefers_onednn() -> bool:
    """Whether fp32 products go to oneDNN: it is there, its operations work, and the processor is not Intel's."""
    if not torch.backends.mkldnn.is_available() or "GenuineIntel" in _processor():
        return False
    rows, weight = torch.ones(2, 3), torch.ones(4, 3)
    try:
        found = [_product(rows, form, None) for form in (weight, _reordered(weight, 2))]
    except (AttributeError, RuntimeError, TypeError):
        return False
    return all(bool((one == 3).all()) for one in found)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    return info.read_text(errors="replace")[:4096] if info.is_file() else "GenuineIntel"


def _product(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    return found


def _reordered(weight: torch.Tensor, rows: int) -> torch.Tensor:
    found: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
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
