"""Small maps from one width to another: projection heads, aligning towers, DiffCSE's projector."""

from __future__ import annotations

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


class Tower(nn.Module):
    """`layers` times Linear → BatchNorm → ReLU, [N, width] → [N, out]; `final=False` leaves the last Linear bare."""

    def __init__(self, width: int, out: int, layers: int, batchnorm: bool, final: bool) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        for layer in range(layers):
            steps.append(nn.Linear(width if layer == 0 else out, out))
            if layer < layers - 1 or final:
                steps += [nn.BatchNorm1d(out), nn.ReLU()] if batchnorm else [nn.ReLU()]
        self.steps = nn.Sequential(*steps)

    def forward(self, rows_ND: Tensor) -> Tensor:
        out: Tensor = self.steps(rows_ND)
        return out


class BatchNormProjector(nn.Module):
    """Linear(D, 2D) → BN → ReLU → Linear(2D, D) → BN without scale, [N, D] → [N, D].

    voidism/DiffCSE@f724b2c:diffcse/models.py:35-50.
    """

    def __init__(self, width: int, widening: int = 2) -> None:
        super().__init__()
        inner = widening * width
        self.steps = nn.Sequential(
            nn.Linear(width, inner, bias=False),
            nn.BatchNorm1d(inner),
            nn.ReLU(),
            nn.Linear(inner, width, bias=False),
            nn.BatchNorm1d(width, affine=False),
        )

    def forward(self, rows_ND: Tensor) -> Tensor:
        out: Tensor = self.steps(rows_ND)
        return out
