"""ranking_consistency: a true Jensen–Shannon divergence, and the released code's quirk."""

from __future__ import annotations

import math

import pytest
import torch
from by_hand import Table, assert_same, dropped, log_shares, mean, rows, scaled, table, transposed
from loss_inputs import loss_inputs

from dalr_bench_plugins.losses.ranking_consistency import RankingConsistency

N, D = 6, 5


@pytest.fixture
def views() -> list[torch.Tensor]:
    return [rows(N, D, 1, grad=True), rows(N, D, 2, grad=True)]


def divergences(first: Table, second: Table, clamp: float | None = None, floor: float = 0.0) -> list[torch.Tensor]:
    """½ Σ p (log p − log m) + ½ Σ q (log q − log m) of every row, with the released bounds where asked."""
    out = []
    for a, b in zip(first, second, strict=True):
        p = [x.exp().clamp_min(floor) for x in log_shares(a)]
        q = [x.exp().clamp_min(floor) for x in log_shares(b)]
        log_m = [((x + y) / 2).log() for x, y in zip(p, q, strict=True)]
        if clamp is not None:
            log_m = [x.clamp_min(clamp) for x in log_m]
        terms = [x * (x.log() - m) + y * (y.log() - m) for x, y, m in zip(p, q, log_m, strict=True)]
        out.append(sum(terms) / 2)
    return out


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_equals_loops(views: list[torch.Tensor], temperature: float) -> None:
    cosines = scaled(table(*views), 1 / temperature)
    got = RankingConsistency(temperature)(loss_inputs(views)).loss
    assert_same(got, mean(divergences(cosines, transposed(cosines))), views)


def test_diagonal_excluded(views: list[torch.Tensor]) -> None:
    cosines = scaled(table(*views), 20)
    got = RankingConsistency(diagonal="exclude")(loss_inputs(views)).loss
    assert_same(got, mean(divergences(dropped(cosines), dropped(transposed(cosines)))), views)


@pytest.mark.parametrize("floor", [0.0, 1e-7, 1e-3])
def test_released_clamp_is_minus_mean_entropy(views: list[torch.Tensor], floor: float) -> None:
    cosines = scaled(table(*views), 20)
    got = RankingConsistency(clamp=1e-7, floor=floor)(loss_inputs(views)).loss
    assert_same(got, mean(divergences(cosines, transposed(cosines), 1e-7, floor)), views)
    if not floor:
        shares = [log_shares(row) for row in cosines + transposed(cosines)]
        entropies = [-sum(x.exp() * x for x in row) for row in shares]
        assert torch.allclose(got, -mean(entropies), atol=1e-6)


def test_floor_alone_changes_little(views: list[torch.Tensor]) -> None:
    plain, floored = (RankingConsistency(floor=floor)(loss_inputs(views)).loss for floor in (0.0, 1e-7))
    assert abs(float(plain.detach() - floored.detach())) < 1e-5


def test_rows_sum(views: list[torch.Tensor]) -> None:
    inputs = loss_inputs(views)
    assert torch.allclose(RankingConsistency(rows="sum")(inputs).loss, N * RankingConsistency()(inputs).loss)


def test_closed_form_equal_views_agree() -> None:
    """cos(z, z) is symmetric: both rankings are the same and the divergence is 0."""
    same = rows(N, D, 1)
    assert abs(RankingConsistency()(loss_inputs([same, same])).loss.item()) < 1e-12


def test_closed_form_opposite_certainty_is_log_two() -> None:
    """cos(z1_i, z2_j) = 1 where j = i + 1: view 1 is sure of i + 1, view 2 of i − 1."""
    eye = torch.eye(4, dtype=torch.float64)
    loss = RankingConsistency(temperature=0.01)(loss_inputs([eye, eye.roll(1, 0)])).loss
    assert loss.item() == pytest.approx(math.log(2))


def test_bounded_and_symmetric(views: list[torch.Tensor]) -> None:
    forward = RankingConsistency()(loss_inputs(views)).loss
    backward = RankingConsistency()(loss_inputs(views[::-1])).loss
    assert 0 < float(forward.detach()) <= math.log(2)
    assert torch.allclose(forward, backward)


def test_both_views_learn(views: list[torch.Tensor]) -> None:
    RankingConsistency()(loss_inputs(views)).loss.backward()
    assert all(float(view.grad.abs().max()) > 0 for view in views)
