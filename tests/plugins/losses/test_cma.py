"""cma against loops in both readings; every option changes what it says."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from by_hand import Table, arc, assert_same, dropped, kl, mean, rows, scaled, table, transposed
from loss_inputs import loss_inputs

from dalr_bench import Dims, JointSpace, LossInputs, SuiteError, TeacherRows
from dalr_bench_plugins.losses.cma import CrossModalAlignment

N, D, E = 5, 6, 4
DIMS = Dims(student=D, text={"sim": 7}, image={"clip": D})


def made(**options: Any) -> CrossModalAlignment:
    return CrossModalAlignment("sim", "clip", dims=DIMS, **({"space": "joint"} | options))


class Case:
    """One batch, with everything a gradient may or may not reach."""

    def __init__(self) -> None:
        self.views = [rows(N, D, 1, grad=True), rows(N, D, 2, grad=True)]
        self.p = rows(N, E, 3, grad=True)
        self.v = rows(N, E, 4, grad=True)
        self.sim = rows(N, 7, 5, grad=True)
        self.clip = rows(N, D, 6, grad=True)
        self.space = JointSpace(torch.stack([self.p, rows(N, E, 7)], 1), self.v)

    def inputs(self) -> LossInputs:
        teachers = {"sim": TeacherRows(text_NT=self.sim), "clip": TeacherRows(image_NE=self.clip)}
        return loss_inputs(self.views, teachers, spaces={"joint": self.space})

    def teachers(self) -> tuple[Table, Table]:
        return table(self.sim.detach(), self.sim.detach()), table(self.clip.detach(), self.clip.detach())


@pytest.fixture
def case() -> Case:
    return Case()


@pytest.mark.parametrize(("ours", "theirs"), [(0.05, 0.05), (0.2, 0.7)])
def test_paper_reading_equals_loops(case: Case, ours: float, theirs: float) -> None:
    """The first view and its picture, in the space of another loss."""
    cosines = table(case.p, case.v)
    text, image = case.teachers()
    first = mean(kl(scaled(text, 1 / theirs), scaled(cosines, 1 / ours)))
    second = mean(kl(scaled(image, 1 / theirs), scaled(transposed(cosines), 1 / ours)))
    output = made(student_temperature=ours, teacher_temperature=theirs)(case.inputs())
    assert_same(output.loss, (first + second) / 2, [case.p, case.v])
    assert torch.allclose(output.terms["text"], first)
    assert torch.allclose(output.terms["image"], second)


def test_code_reading_equals_loops(case: Case) -> None:
    """z1 against the raw image row, with margin and unequal temperatures."""
    loss = made(student="raw", space=None, margin=0.18, student_temperature=0.0225, teacher_temperature=0.5)
    cosines = arc(table(case.views[0], case.clip.detach()), 0.18)
    text, image = case.teachers()
    first = mean(kl(scaled(text, 2), scaled(cosines, 1 / 0.0225)))
    second = mean(kl(scaled(image, 2), scaled(transposed(cosines), 1 / 0.0225)))
    assert_same(loss(case.inputs()).loss, (first + second) / 2, [case.views[0]])


def test_reduction_and_combine_are_factors(case: Case) -> None:
    plain = made()(case.inputs()).loss
    assert torch.allclose(made(reduction="sum")(case.inputs()).loss, N * plain)
    assert torch.allclose(made(combine="sum")(case.inputs()).loss, 2 * plain)


def test_sides(case: Case) -> None:
    both = made()(case.inputs())
    text, image = made(sides="text")(case.inputs()), made(sides="image")(case.inputs())
    assert torch.allclose(text.loss.detach(), both.terms["text"])
    assert list(text.terms) == ["text"]
    assert torch.allclose(image.loss.detach(), both.terms["image"])
    assert list(image.terms) == ["image"]


def test_diagonal_excluded(case: Case) -> None:
    cosines = scaled(table(case.p, case.v), 20)
    text, image = case.teachers()
    first = mean(kl(dropped(scaled(text, 20)), dropped(cosines)))
    second = mean(kl(dropped(scaled(image, 20)), dropped(transposed(cosines))))
    assert_same(made(diagonal="exclude")(case.inputs()).loss, (first + second) / 2, [case.p, case.v])


def test_transposed_probabilities(case: Case) -> None:
    """The matrix P itself turned: its rows no longer sum to one."""
    cosines = torch.stack([torch.stack(row) for row in table(case.p, case.v)]) * 20
    _, image = case.teachers()
    q = torch.stack([torch.stack(row) for row in image]) * 20
    log_q, log_p = q.log_softmax(1), cosines.log_softmax(1).T
    want = (log_q.exp() * (log_q - log_p)).sum() / N
    got = made(transposed="probabilities", sides="image")(case.inputs()).loss
    assert_same(got, want, [case.p, case.v])
    assert not torch.allclose(got, made(sides="image")(case.inputs()).loss)


def test_closed_form_student_equal_to_teacher_costs_nothing() -> None:
    same = rows(N, D, 1)
    teachers = {"sim": TeacherRows(text_NT=same), "clip": TeacherRows(image_NE=same)}
    loss = made(student="raw", space=None)(loss_inputs([same, same], teachers)).loss
    assert abs(loss.item()) < 1e-12


def test_closed_form_uniform_student() -> None:
    """All student rows equal: P is uniform, KL is log N − H(Q)."""
    eye, one = torch.eye(N, D), torch.ones(N, E)
    teachers = {"sim": TeacherRows(text_NT=eye), "clip": TeacherRows(image_NE=eye)}
    space = JointSpace(one[:, None], one)
    loss = made(teacher_temperature=1.0)(loss_inputs([eye, eye], teachers, spaces={"joint": space})).loss
    total = math.e + N - 1
    entropy = -(math.e / total * math.log(math.e / total) + (N - 1) / total * math.log(1 / total))
    assert loss.item() == pytest.approx(math.log(N) - entropy, rel=1e-5)


def test_teachers_get_no_gradient(case: Case) -> None:
    made()(case.inputs()).loss.backward()
    assert case.sim.grad is None
    assert case.clip.grad is None
    assert float(case.p.grad.abs().max()) > 0
    assert float(case.v.grad.abs().max()) > 0
    raw = Case()
    made(student="raw", space=None)(raw.inputs()).loss.backward()
    assert raw.clip.grad is None
    assert float(raw.views[0].grad.abs().max()) > 0


def test_a_blend_of_similarities_is_taken_as_it_is(case: Case) -> None:
    mixed = (rows(N, N, 9) / 3).tanh()
    teachers = {"sim": TeacherRows(sim_NN=mixed), "clip": TeacherRows(image_NE=case.clip)}
    got = made(sides="text")(loss_inputs(case.views, teachers, spaces={"joint": case.space})).loss
    want = mean(kl([list(row * 20) for row in mixed], scaled(table(case.p, case.v), 20)))
    assert_same(got, want, [case.p])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"space": None}, "needs `space`"),
        ({"student": "raw", "dims": Dims(student=D, image={"clip": 9})}, "equal widths"),
        ({"transposed": "probabilities", "diagonal": "exclude"}, "diagonal included"),
    ],
)
def test_impossible_choices_are_faults(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SuiteError, match=complaint):
        CrossModalAlignment("sim", "clip", **({"space": "joint", "dims": DIMS} | options))
