"""listmle against loops: the paper reading and the released one, lists, floors and ties."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from by_hand import arc, assert_same, dropped, mean, order, order_losses, rows, scaled, table
from loss_inputs import loss_inputs

from dalr_bench import TeacherRows
from dalr_bench_plugins.losses.listmle import ListMle

N, D, T = 6, 5, 4


@pytest.fixture
def views() -> list[torch.Tensor]:
    return [rows(N, D, 1, grad=True), rows(N, D, 2, grad=True)]


@pytest.fixture
def teacher() -> torch.Tensor:
    return rows(N, T, 3, grad=True)


def run(views: list[torch.Tensor], teacher: torch.Tensor, **options: Any) -> torch.Tensor:
    return ListMle("sim", **options)(loss_inputs(views, {"sim": TeacherRows(text_NT=teacher)})).loss


def lists(
    views: list[torch.Tensor], teacher: torch.Tensor, inside: bool, margin: float = 0.0, floor: float = 0.0
) -> Any:
    target, scores = table(teacher.detach(), teacher.detach()), scaled(arc(table(*views), margin), 20)
    if not inside:
        target, scores = dropped(target), dropped(scores)
    return [order_losses(t, s, floor) for t, s in zip(target, scores, strict=True)]


def test_paper_reading_equals_loops(views: list[torch.Tensor], teacher: torch.Tensor) -> None:
    assert_same(run(views, teacher), mean([mean(one) for one in lists(views, teacher, False)]), views)


@pytest.mark.parametrize("floor", [0.0, 1e-7, 0.1])
def test_released_reading_equals_loops(views: list[torch.Tensor], teacher: torch.Tensor, floor: float) -> None:
    got = run(views, teacher, diagonal="include", reduction="sum", floor=floor, margin=0.18)
    assert_same(got, mean([sum(one) for one in lists(views, teacher, True, 0.18, floor)]), views)


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("rows_by", ["mean", "sum"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_reductions(
    views: list[torch.Tensor], teacher: torch.Tensor, inside: bool, rows_by: str, reduction: str
) -> None:
    diagonal = "include" if inside else "exclude"
    got = run(views, teacher, diagonal=diagonal, rows=rows_by, reduction=reduction)
    per_list = [mean(one) if reduction == "mean" else sum(one) for one in lists(views, teacher, inside)]
    assert_same(got, mean(per_list) if rows_by == "mean" else sum(per_list), views)


def test_list_len_drops_or_keeps_the_tail(views: list[torch.Tensor], teacher: torch.Tensor) -> None:
    target, scores = dropped(table(teacher.detach(), teacher.detach())), dropped(scaled(table(*views), 20))
    short = []
    for t, s in zip(target, scores, strict=True):
        best = order(t)[:3]
        short.append(mean(order_losses([t[j] for j in best], [s[j] for j in best])))
    assert_same(run(views, teacher, list_len=3), mean(short), views)
    kept = [mean(one[:3]) for one in lists(views, teacher, False)]
    assert_same(run(views, teacher, list_len=3, tail="keep"), mean(kept), views)
    assert torch.allclose(run(views, teacher, list_len=99), run(views, teacher))


def test_closed_form_all_scores_equal() -> None:
    """No preference: every order is one of M!, so −log P = log M!."""
    same = [torch.ones(N, D, dtype=torch.float64)] * 2
    got = run(same, rows(N, T, 3), diagonal="include", reduction="sum")
    assert float(got) == pytest.approx(math.lgamma(N + 1))
    assert float(run(same, rows(N, T, 3), reduction="sum")) == pytest.approx(math.lgamma(N))


def test_probabilities_of_all_orders_sum_to_one() -> None:
    """Σ over the 3! orders of exp(−loss) is 1 for one row's list of three."""
    import itertools

    views = [rows(3, D, 1), rows(3, D, 2)]
    total = 0.0
    for wished in itertools.permutations([0.1, 0.5, 0.9]):
        given = torch.tensor([wished] * 3, dtype=torch.float64)
        loss = ListMle("sim", diagonal="include", reduction="sum", rows="sum", temperature=0.5)
        row_losses = loss._losses(loss_scores(views, given))
        total += ((-row_losses.sum(1)).exp()[0]).item()
    assert total == pytest.approx(1.0)


def loss_scores(views: list[torch.Tensor], given: torch.Tensor) -> torch.Tensor:
    """The student's scores in the given order, as the component lines them up."""
    scores = torch.stack([torch.stack(row) for row in table(*views)]) / 0.5
    return scores.gather(1, given.argsort(1, descending=True))


def test_only_the_order_of_the_teacher_counts(views: list[torch.Tensor]) -> None:
    first = rows(N, N, 5).tanh()
    twin = (first * 3).exp()  # increasing: another scale, the same order
    losses = [ListMle("m")(loss_inputs(views, {"m": TeacherRows(sim_NN=sim)})).loss for sim in (first, twin)]
    assert torch.equal(losses[0], losses[1])


def test_better_order_costs_less() -> None:
    base = rows(N, D, 1)
    agreeing, other = TeacherRows(text_NT=base), TeacherRows(text_NT=rows(N, D, 9))
    loss = ListMle("sim")
    inputs = [loss_inputs([base, base], {"sim": one}) for one in (agreeing, other)]
    assert loss(inputs[0]).loss < loss(inputs[1]).loss


def test_ties_stable_or_drawn(views: list[torch.Tensor]) -> None:
    """A teacher without opinion: the batch order, or one that the step's generator draws."""
    flat = {"sim": TeacherRows(sim_NN=torch.zeros(N, N))}
    stable = ListMle("sim", diagonal="include")
    scores = scaled(table(*views), 20)
    zero = [torch.zeros(())] * N
    assert_same(stable(loss_inputs(views, flat)).loss, mean([mean(order_losses(zero, row)) for row in scores]), views)
    drawn = ListMle("sim", diagonal="include", ties="random")
    values = {round(float(drawn(loss_inputs(views, flat, seed=seed)).loss.detach()), 9) for seed in range(8)}
    assert len(values) > 3
    again = [float(drawn(loss_inputs(views, flat, seed=2)).loss.detach()) for _ in range(2)]
    assert again[0] == again[1]


def test_random_ties_change_nothing_without_ties(views: list[torch.Tensor], teacher: torch.Tensor) -> None:
    assert torch.allclose(run(views, teacher, ties="random"), run(views, teacher))


def test_teacher_gets_no_gradient(views: list[torch.Tensor], teacher: torch.Tensor) -> None:
    run(views, teacher).backward()
    assert teacher.grad is None
    assert all(float(view.grad.abs().max()) > 0 for view in views)


def test_one_sentence_has_no_list() -> None:
    one = [rows(1, D, 1, grad=True), rows(1, D, 2, grad=True)]
    loss = run(one, rows(1, T, 3))
    assert loss.item() == 0
    loss.backward()
