"""Small maps from one width to another: projection heads, aligning towers, DiffCSE's projector."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from dalr_bench import SuiteError

Head = Literal["tanh", "linear", "none"]


def head(kind: Head, width: int, out: int) -> nn.Module:
    """[N, width] → [N, out]: Linear + Tanh, Linear, or the row itself. SuiteError where 'none' meets two widths."""
    if kind == "none":
        if width != out:
            raise SuiteError(f"heads: none leaves rows as they are, but they are {width} wide and the space {out}")
        return nn.Identity()
    return nn.Sequential(nn.Linear(width, out), nn.Tanh()) if kind == "tanh" else nn.Linear(width, out)


class BatchNorm(nn.BatchNorm1d):
    """`nn.BatchNorm1d`, but for a training batch of one row, which has no variance: its row is normalised by the running
    statistics and leaves them as they are, where torch raises ValueError."""

    def forward(self, rows_ND: Tensor) -> Tensor:
        if self.training and len(rows_ND) == 1:
            return nn.functional.batch_norm(
                rows_ND, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
            )
        return super().forward(rows_ND)


class Tower(nn.Module):
    """Linear → BatchNorm → ReLU between each two widths, [N, first] → [N, last]; `final=False` leaves the last bare."""

    def __init__(self, widths: Sequence[int], batchnorm: bool, final: bool) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        for layer, (before, after) in enumerate(pairwise(widths), 1):
            steps.append(nn.Linear(before, after))
            if layer < len(widths) - 1 or final:
                steps += [BatchNorm(after), nn.ReLU()] if batchnorm else [nn.ReLU()]
        self.steps = nn.Sequential(*steps)

    def forward(self, rows_ND: Tensor) -> Tensor:
        out: Tensor = self.steps(rows_ND)
        return out


class BatchNormProjector(nn.Module):
    """Linear(D, 2D) → BN → ReLU → Linear(2D, D) → BN without scale, [N, D] → [N, D].

    voidism/DiffCSE@f724b2c:diffcse/models.py:35-50. Departure: first weights are torch's (deviations of .021 and .015 at 768)
    where the code's are N(0, .02²) (121, `init_weights`); the BatchNorms after both take their scale out.
    """

    def __init__(self, width: int, widening: int = 2) -> None:
        super().__init__()
        inner = widening * width
        self.steps = nn.Sequential(
            nn.Linear(width, inner, bias=False),
            BatchNorm(inner),
            nn.ReLU(),
            nn.Linear(inner, width, bias=False),
            BatchNorm(width, affine=False),
        )

    def forward(self, rows_ND: Tensor) -> Tensor:
        out: Tensor = self.steps(rows_ND)
        return out
