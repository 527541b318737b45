"""The formulas a second time, one scalar after another, in float64: what tests compare components with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Table = list[list[Tensor]]


def cos(a: Tensor, b: Tensor) -> Tensor:
    """a·b / (|a| |b|)."""
    return sum(x * y for x, y in zip(a, b, strict=True)) / ((a * a).sum() * (b * b).sum()).sqrt()


def table(left: Tensor, right: Tensor) -> Table:
    """cos of every pair."""
    return [[cos(a, b) for b in right] for a in left]


def scaled(values: Table, factor: float) -> Table:
    return [[factor * x for x in row] for row in values]


def transposed(values: Table) -> Table:
    return [list(column) for column in zip(*values, strict=True)]


def blended(first: Table, second: Table, share: float) -> Table:
    return [
        [share * x + (1 - share) * y for x, y in zip(a, b, strict=True)] for a, b in zip(first, second, strict=True)
    ]


def arc(values: Table, margin: float, soft: Table | None = None) -> Table:
    """Off the diagonal, where the angle is above the margin: cos(angle − (1 − soft) · margin)."""
    out = []
    for i, row in enumerate(values):
        angles = [x.clamp(-1, 1).acos() for x in row]
        shift = [margin if soft is None else margin * (1 - soft[i][j]) for j in range(len(row))]
        moved = [(angle - shift[j]).cos() if j != i and angle > margin else row[j] for j, angle in enumerate(angles)]
        out.append(moved)
    return out


def dropped(values: Table) -> Table:
    """Rows without their own column."""
    return [[x for j, x in enumerate(row) if j != i] for i, row in enumerate(values)]


def log_shares(row: Sequence[Tensor]) -> list[Tensor]:
    """log softmax: x − log Σ exp, the largest taken out first."""
    top = max(float(x.detach()) for x in row)
    total = sum((x - top).exp() for x in row).log() + top
    return [x - total for x in row]


def cross_entropy(logits: Table) -> Tensor:
    """mean_i −log softmax(row i) at i."""
    return sum(-log_shares(row)[i] for i, row in enumerate(logits)) / len(logits)


def kl(teacher: Table, student: Table) -> list[Tensor]:
    """KL(softmax teacher ‖ softmax student) of every row of logits."""
    out = []
    for q_row, p_row in zip(teacher, student, strict=True):
        log_q, log_p = log_shares(q_row), log_shares(p_row)
        out.append(sum(q.exp() * (q - p) for q, p in zip(log_q, log_p, strict=True)))
    return out


def order(row: Sequence[Tensor]) -> list[int]:
    """Positions from the largest to the smallest, the earlier first where equal."""
    return sorted(range(len(row)), key=lambda j: (-float(row[j]), j))


def order_losses(teacher: Sequence[Tensor], student: Sequence[Tensor], floor: float = 0.0) -> list[Tensor]:
    """For every place of the teacher's order: log of what is still to come, less the score at that place."""
    scores = [student[j] for j in order(teacher)]
    top = max(scores)  # with its slope: beside a floor the shift is not neutral
    return [(sum((x - top).exp() for x in scores[j:]) + floor).log() - (scores[j] - top) for j in range(len(scores))]


def mean(values: Sequence[Tensor]) -> Tensor:
    return sum(values) / len(values)


def rows(n: int, width: int, seed: int, grad: bool = False) -> Tensor:
    """Random rows, float64."""
    drawn = torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn.requires_grad_(grad)


def assert_same(got: Tensor, want: Tensor, wrt: Sequence[Tensor], tolerance: float = 1e-9) -> None:
    """Equal value and equal gradients, which must not be zero."""
    assert torch.allclose(got, want, rtol=tolerance, atol=tolerance), (got.item(), want.item())
    for mine, theirs in zip(torch.autograd.grad(got, wrt), torch.autograd.grad(want, wrt), strict=True):
        assert mine.abs().max() > 0
        assert torch.allclose(mine, theirs, rtol=1e-6, atol=tolerance)
