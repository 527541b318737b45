"""infonce against loops, closed forms, and what its options say."""

from __future__ import annotations

import math

import pytest
import torch
from by_hand import arc, assert_same, cross_entropy, log_shares, rows, scaled, table, transposed
from loss_inputs import loss_inputs

from dalr_bench_plugins.losses.infonce import InfoNce

N, D = 6, 5


@pytest.fixture
def views() -> list[torch.Tensor]:
    return [rows(N, D, 1, grad=True), rows(N, D, 2, grad=True)]


@pytest.mark.parametrize("temperature", [0.05, 0.3])
@pytest.mark.parametrize("margin", [0.0, 0.18, 1.2])
def test_equals_loops(views: list[torch.Tensor], temperature: float, margin: float) -> None:
    got = InfoNce(temperature, margin)(loss_inputs(views)).loss
    assert_same(got, cross_entropy(scaled(arc(table(*views), margin), 1 / temperature)), views)


def test_symmetric_averages_rows_and_columns(views: list[torch.Tensor]) -> None:
    logits = scaled(table(*views), 1 / 0.05)
    want = (cross_entropy(logits) + cross_entropy(transposed(logits))) / 2
    assert_same(InfoNce(symmetric=True)(loss_inputs(views)).loss, want, views)


def test_closed_form_orthogonal() -> None:
    """Equal views, all sentences orthogonal: −log(e^{1/τ} / (e^{1/τ} + N − 1))."""
    eye = torch.eye(4, dtype=torch.float64)
    loss = InfoNce(temperature=0.5)(loss_inputs([eye, eye])).loss
    assert loss.item() == pytest.approx(math.log(math.exp(2) + 3) - 2)


def test_closed_form_no_information() -> None:
    """All rows the same: every partner is equally likely, log N, whatever the temperature."""
    same = torch.ones(N, D)
    assert InfoNce()(loss_inputs([same, same])).loss.item() == pytest.approx(math.log(N))


@pytest.mark.parametrize("weight", [0.0, 1.5])
def test_hard_negatives_join_the_sum(views: list[torch.Tensor], weight: float) -> None:
    """V = 3: anchor, positive, hard negative. Own hard negative carries the weight in its logit."""
    hard = rows(N, D, 3, grad=True)
    got = InfoNce(hard_negative_weight=weight)(loss_inputs([*views, hard])).loss
    soft, hards = scaled(table(*views), 20), scaled(table(views[0], hard), 20)
    terms = [-log_shares(soft[i] + [x + weight * (i == j) for j, x in enumerate(hards[i])])[i] for i in range(N)]
    assert_same(got, sum(terms) / N, [*views, hard])


def test_symmetric_with_hard_negatives_keeps_columns_plain(views: list[torch.Tensor]) -> None:
    hard = rows(N, D, 3, grad=True)
    logits, hards = scaled(table(*views), 20), scaled(table(views[0], hard), 20)
    want_rows = sum(-log_shares(logits[i] + hards[i])[i] for i in range(N)) / N
    want = (want_rows + cross_entropy(transposed(logits))) / 2
    assert_same(InfoNce(symmetric=True)(loss_inputs([*views, hard])).loss, want, [*views, hard])


def test_same_image_masked_leaves_those_pairs_out(views: list[torch.Tensor]) -> None:
    keys = [0, 0, 1, 2, 2, 2]
    got = InfoNce(same_image="mask")(loss_inputs(views, images=keys)).loss
    logits = scaled(table(*views), 20)
    terms = []
    for i in range(N):
        kept = [j for j in range(N) if j == i or keys[j] != keys[i]]
        terms.append(-log_shares([logits[i][j] for j in kept])[kept.index(i)])
    assert_same(got, sum(terms) / N, views)


def test_same_image_is_kept_by_default_and_without_pictures(views: list[torch.Tensor]) -> None:
    plain = InfoNce()(loss_inputs(views)).loss
    assert InfoNce()(loss_inputs(views, images=[0] * N)).loss == plain
    assert InfoNce(same_image="mask")(loss_inputs(views)).loss == plain


def test_gradient_is_finite_where_views_are_equal_or_opposite() -> None:
    """acos has no slope at |cos| = 1; the margin must train there all the same."""
    base = torch.eye(3)
    first = base.clone().requires_grad_()
    second = torch.stack([-base[1], base[1], base[0]]).requires_grad_()
    InfoNce(margin=0.18)(loss_inputs([first, second])).loss.backward()
    assert first.grad is not None
    assert second.grad is not None
    assert bool(first.grad.isfinite().all() and second.grad.isfinite().all())
    assert float(first.grad.abs().max()) > 0


def test_margin_makes_negatives_harder(views: list[torch.Tensor]) -> None:
    assert InfoNce(margin=0.18)(loss_inputs(views)).loss > InfoNce()(loss_inputs(views)).loss


def test_reports_the_mean_cosine_of_pairs(views: list[torch.Tensor]) -> None:
    output = InfoNce()(loss_inputs(views))
    want = torch.stack([table(*views)[i][i] for i in range(N)]).mean()
    assert torch.allclose(output.terms["cosine"], want)
    assert not output.terms["cosine"].requires_grad
