"""ima against loops; its options; who gets a gradient."""

from __future__ import annotations

import math

import pytest
import torch
from by_hand import arc, assert_same, dropped, kl, mean, rows, scaled, table
from loss_inputs import loss_inputs

from dalr_bench import TeacherRows
from dalr_bench_plugins.losses.ima import IntraModalAlignment

N, D, T = 6, 5, 4


@pytest.fixture
def views() -> list[torch.Tensor]:
    return [rows(N, D, 1, grad=True), rows(N, D, 2, grad=True)]


@pytest.fixture
def teacher() -> torch.Tensor:
    return rows(N, T, 3, grad=True)


@pytest.mark.parametrize("margin", [0.0, 0.18])
@pytest.mark.parametrize(("ours", "theirs"), [(0.05, 0.05), (0.0225, 0.5), (1.0, 0.1)])
def test_equals_loops(
    views: list[torch.Tensor], teacher: torch.Tensor, margin: float, ours: float, theirs: float
) -> None:
    loss = IntraModalAlignment("sim", ours, theirs, margin)
    got = loss(loss_inputs(views, {"sim": TeacherRows(text_NT=teacher)})).loss
    target = scaled(table(teacher.detach(), teacher.detach()), 1 / theirs)
    assert_same(got, mean(kl(target, scaled(arc(table(*views), margin), 1 / ours))), views)


def test_diagonal_excluded(views: list[torch.Tensor], teacher: torch.Tensor) -> None:
    got = IntraModalAlignment("sim", diagonal="exclude")(loss_inputs(views, {"sim": TeacherRows(text_NT=teacher)})).loss
    target = dropped(scaled(table(teacher.detach(), teacher.detach()), 20))
    assert_same(got, mean(kl(target, dropped(scaled(table(*views), 20)))), views)


def test_reduction_sum_scales_with_the_batch(views: list[torch.Tensor], teacher: torch.Tensor) -> None:
    inputs = loss_inputs(views, {"sim": TeacherRows(text_NT=teacher)})
    plain = IntraModalAlignment("sim")(inputs).loss
    assert torch.allclose(IntraModalAlignment("sim", reduction="sum")(inputs).loss, N * plain)


def test_mixed_similarities(views: list[torch.Tensor]) -> None:
    """A blend that has only a matrix."""
    mixed = rows(N, N, 4).tanh()
    got = IntraModalAlignment("mix")(loss_inputs(views, {"mix": TeacherRows(sim_NN=mixed)})).loss
    assert_same(got, mean(kl([list(row * 20) for row in mixed], scaled(table(*views), 20))), views)


def test_closed_form_student_equal_to_teacher() -> None:
    same = rows(N, D, 1)
    loss = IntraModalAlignment("sim")(loss_inputs([same, same], {"sim": TeacherRows(text_NT=same)})).loss
    assert abs(loss.item()) < 1e-12


def test_closed_form_uniform_teacher() -> None:
    """Teacher: all equal, so Q is uniform. Student: orthogonal. KL = log Z − (1/τ)/N − log N."""
    eye, one = torch.eye(N, dtype=torch.float64), torch.ones(N, 3, dtype=torch.float64)
    loss = IntraModalAlignment("sim", student_temperature=0.5)(
        loss_inputs([eye, eye], {"sim": TeacherRows(text_NT=one)})
    )
    assert loss.loss.item() == pytest.approx(math.log(math.exp(2) + N - 1) - 2 / N - math.log(N))


def test_never_negative(views: list[torch.Tensor]) -> None:
    for seed in range(10):
        teacher = TeacherRows(text_NT=rows(N, T, seed))
        assert IntraModalAlignment("sim")(loss_inputs(views, {"sim": teacher})).loss.item() >= 0


def test_teacher_gets_no_gradient(views: list[torch.Tensor], teacher: torch.Tensor) -> None:
    IntraModalAlignment("sim")(loss_inputs(views, {"sim": TeacherRows(text_NT=teacher)})).loss.backward()
    assert teacher.grad is None
    assert all(float(view.grad.abs().max()) > 0 for view in views)


def test_one_sentence_without_diagonal_costs_nothing() -> None:
    one = [rows(1, D, 1, grad=True), rows(1, D, 2, grad=True)]
    loss = IntraModalAlignment("sim", diagonal="exclude")(loss_inputs(one, {"sim": TeacherRows(text_NT=rows(1, T, 3))}))
    assert loss.loss.item() == 0
    loss.loss.backward()
