"""listnet against loops; temperatures, diagonal, rows."""

from __future__ import annotations

import math

import pytest
import torch
from by_hand import Table, arc, assert_same, dropped, log_shares, mean, rows, scaled, table
from loss_inputs import loss_inputs

from dalr_bench import TeacherRows
from dalr_bench_plugins.losses.listnet import ListNet

N, D, T = 6, 5, 4


@pytest.fixture
def views() -> list[torch.Tensor]:
    return [rows(N, D, 1, grad=True), rows(N, D, 2, grad=True)]


@pytest.fixture
def teacher() -> torch.Tensor:
    return rows(N, T, 3, grad=True)


def cross(teacher: Table, student: Table) -> list[torch.Tensor]:
    """−Σ q log p of every row of logits."""
    out = []
    for a, b in zip(teacher, student, strict=True):
        out.append(-sum(q.exp() * p for q, p in zip(log_shares(a), log_shares(b), strict=True)))
    return out


@pytest.mark.parametrize("margin", [0.0, 0.18])
@pytest.mark.parametrize(("ours", "theirs"), [(0.05, 0.05), (0.05, 0.025), (0.5, 2.0)])
def test_equals_loops(
    views: list[torch.Tensor], teacher: torch.Tensor, margin: float, ours: float, theirs: float
) -> None:
    got = ListNet("sim", ours, theirs, margin)(loss_inputs(views, {"sim": TeacherRows(text_NT=teacher)})).loss
    target = dropped(scaled(table(teacher.detach(), teacher.detach()), 1 / theirs))
    assert_same(got, mean(cross(target, dropped(scaled(arc(table(*views), margin), 1 / ours)))), views)


def test_diagonal_included(views: list[torch.Tensor], teacher: torch.Tensor) -> None:
    got = ListNet("sim", diagonal="include")(loss_inputs(views, {"sim": TeacherRows(text_NT=teacher)})).loss
    target = scaled(table(teacher.detach(), teacher.detach()), 20)
    assert_same(got, mean(cross(target, scaled(table(*views), 20))), views)


def test_rows_sum(views: list[torch.Tensor], teacher: torch.Tensor) -> None:
    inputs = loss_inputs(views, {"sim": TeacherRows(text_NT=teacher)})
    assert torch.allclose(ListNet("sim", rows="sum")(inputs).loss, N * ListNet("sim")(inputs).loss)


def test_closed_form_no_preference() -> None:
    """A student for whom all are equal pays log M whatever the teacher says; M = N − 1 without the own row."""
    same = [torch.ones(N, D, dtype=torch.float64)] * 2
    inputs = loss_inputs(same, {"sim": TeacherRows(text_NT=rows(N, T, 3))})
    assert ListNet("sim")(inputs).loss.item() == pytest.approx(math.log(N - 1))
    assert ListNet("sim", diagonal="include")(inputs).loss.item() == pytest.approx(math.log(N))


def test_least_where_the_student_is_the_teacher() -> None:
    """Then the cross entropy is the teacher's entropy; any other student pays more."""
    base = rows(N, D, 1)
    teacher = {"sim": TeacherRows(text_NT=base)}
    least = ListNet("sim")(loss_inputs([base, base], teacher)).loss
    entropy = mean(cross(dropped(scaled(table(base, base), 20)), dropped(scaled(table(base, base), 20))))
    assert torch.allclose(least, entropy)
    assert ListNet("sim")(loss_inputs([rows(N, D, 5), rows(N, D, 6)], teacher)).loss > least


def test_teacher_gets_no_gradient(views: list[torch.Tensor], teacher: torch.Tensor) -> None:
    ListNet("sim")(loss_inputs(views, {"sim": TeacherRows(text_NT=teacher)})).loss.backward()
    assert teacher.grad is None
    assert all(float(view.grad.abs().max()) > 0 for view in views)
