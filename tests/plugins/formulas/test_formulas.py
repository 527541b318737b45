"""Shared formulas at their edges; the rest of them is tested through the losses."""

from __future__ import annotations

import math

import pytest
import torch
from by_hand import rows

from dalr_bench import TeacherRows, TrainingError
from dalr_bench_plugins.formulas.contrast import leave_out, matching, matching_both_ways, pairwise
from dalr_bench_plugins.formulas.divergence import js, kl, log_shares
from dalr_bench_plugins.formulas.mismatch import deranged, rolled
from dalr_bench_plugins.formulas.ranking import descending, order_losses
from dalr_bench_plugins.formulas.replacement import Masks, draw_masks, mean_where, predicted
from dalr_bench_plugins.formulas.rows import text_rows
from dalr_bench_plugins.formulas.similarity import cosines, same_image, teacher_cosines, with_margin, without_diagonal


@pytest.mark.parametrize("margin", [0.1, 0.18, 1.0, 3.0])
def test_margin_equals_the_cosine_of_the_moved_angle(margin: float) -> None:
    angles = torch.linspace(0.01, math.pi - 0.01, 36, dtype=torch.float64).view(6, 6)
    want = torch.where((angles > margin) & ~torch.eye(6, dtype=torch.bool), (angles - margin).cos(), angles.cos())
    assert torch.allclose(with_margin(angles.cos(), margin), want)


@pytest.mark.parametrize("value", [1.0, -1.0, 1.0000001, -1.0000001])
def test_margin_slope_is_finite_at_the_ends(value: float) -> None:
    """acos would give an infinite one; rounding may even leave [−1, 1]."""
    ends = torch.full((3, 3), value, requires_grad=True)
    moved = with_margin(ends, 0.18)
    moved.sum().backward()
    assert ends.grad is not None
    assert bool(ends.grad.isfinite().all())
    assert bool(moved.isfinite().all())
    expected = math.cos(math.pi - 0.18) if value < 0 else 1.0
    assert float(moved[0, 1].detach()) == pytest.approx(expected, abs=1e-3)


def test_soft_label_of_one_takes_the_margin_away() -> None:
    cos_NN = rows(4, 4, 1).tanh()
    assert torch.allclose(with_margin(cos_NN, 0.2, torch.ones(4, 4, dtype=torch.float64)), cos_NN)


def test_without_diagonal_keeps_the_order() -> None:
    values = torch.arange(12.0).view(3, 4)[:, :3] + torch.arange(3.0)[:, None]
    want = [[values[i, j].item() for j in range(3) if j != i] for i in range(3)]
    assert without_diagonal(values).tolist() == want
    assert without_diagonal(torch.ones(1, 1)).shape == (1, 0)


def test_same_image_leaves_the_diagonal_out() -> None:
    assert same_image(torch.tensor([4, 1, 4])).tolist() == [[False, False, True], [False] * 3, [True, False, False]]


def test_half_precision_rows_are_compared_in_single() -> None:
    half = rows(4, 8, 1).half()
    assert cosines(half, half).dtype == torch.float32
    assert teacher_cosines(TeacherRows(text_NT=half)).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(cosines(half, half), cosines(half.float(), half.float()))


def test_a_blends_matrix_wins_over_vectors_and_images_are_apart() -> None:
    sim, text, image = rows(3, 3, 1), rows(3, 4, 2), rows(3, 5, 3)
    both = TeacherRows(text_NT=text, sim_NN=sim, image_NE=image)
    assert torch.equal(teacher_cosines(both), sim)
    assert torch.equal(teacher_cosines(both, "image"), cosines(image, image))
    with pytest.raises(TrainingError, match="only similarities"):
        text_rows(TeacherRows(sim_NN=sim), "mix")


def test_contrast_with_pairs_left_out() -> None:
    logits = rows(4, 4, 1)
    out = torch.zeros(4, 4, dtype=torch.bool)
    out[0, 1:] = True
    assert matching(leave_out(logits, out)) == matching(logits) - torch.logsumexp(logits[0], 0) / 4 + logits[0, 0] / 4
    assert torch.equal(matching_both_ways(logits), matching_both_ways(logits.T))


def test_pairwise_at_zero_is_log_two_each() -> None:
    assert pairwise(torch.zeros(3, 3)).item() == pytest.approx(3 * math.log(2))


def test_divergences_of_certain_shares() -> None:
    """Sure of different things: KL is the distance of the logits, JS log 2; alike: 0."""
    first, second = log_shares(torch.tensor([[50.0, 0.0]])), log_shares(torch.tensor([[0.0, 50.0]]))
    assert kl(first, second).item() == pytest.approx(50.0)
    assert js(first, second).item() == pytest.approx(math.log(2))
    assert js(first, first).item() == pytest.approx(0.0, abs=1e-6)


def test_order_losses_far_below_the_top() -> None:
    """Exact without a floor; the released floor 1e-7 makes the last place cost log(1e-7) less than it should."""
    scores = torch.tensor([[0.0, -40.0]], dtype=torch.float64)
    assert order_losses(scores)[0].tolist() == pytest.approx([math.exp(-40), 0.0])
    assert order_losses(scores, 1e-7)[0, 1].item() == pytest.approx(math.log(1e-7) + 40, rel=1e-6)


def test_descending_ties() -> None:
    scores = torch.tensor([[1.0, 2.0, 1.0, 2.0]])
    assert descending(scores).tolist() == [[1, 3, 0, 2]]
    assert descending(scores, torch.tensor([3, 2, 1, 0])).tolist() == [[3, 1, 2, 0]]


@pytest.mark.parametrize("sizes", [[1, 1], [2, 2], [3, 3], [5, 5, 5, 5], [4, 1, 1, 2], [1] * 9, [7, 3, 4]])
def test_derangement_for_every_possible_mix_of_captions(sizes: list[int]) -> None:
    keys = torch.cat([torch.full((size,), key) for key, size in enumerate(sizes)])
    keys = keys[torch.randperm(len(keys), generator=torch.Generator().manual_seed(0))]
    for seed in range(20):
        partner = deranged(keys, torch.Generator().manual_seed(seed))
        assert sorted(partner.tolist()) == list(range(len(keys)))
        assert bool((keys[partner] != keys).all())


def test_derangement_reaches_every_partner() -> None:
    keys = torch.arange(5)
    seen = {tuple(deranged(keys, torch.Generator().manual_seed(seed)).tolist()) for seed in range(200)}
    assert all({order[i] for order in seen} == set(range(5)) - {i} for i in range(5))


def test_rolled_is_torchs_roll() -> None:
    assert torch.equal(rolled(torch.zeros(7), 5), torch.arange(7).roll(5))


def test_sampling_follows_the_probabilities() -> None:
    logits = torch.tensor([0.5, 0.3, 0.2]).log().expand(1, 20000, 3)
    drawn = predicted(logits, "sample", torch.Generator().manual_seed(0))
    shares = drawn.flatten().bincount(minlength=3) / drawn.numel()
    assert shares.tolist() == pytest.approx([0.5, 0.3, 0.2], abs=0.02)
    assert bool((predicted(logits, "argmax", torch.Generator()) == 0).all())


def test_fates_of_chosen_words() -> None:
    ids = torch.full((1, 40000), 7)
    masks = Masks(ratio=0.25, random_share=0.1, keep_share=0.2, mask_id=1, vocabulary=1000)
    shown, chosen = draw_masks(masks, ids, torch.ones_like(ids, dtype=torch.bool), torch.Generator().manual_seed(0))
    assert chosen.float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert (shown[chosen] == 1).float().mean().item() == pytest.approx(0.7, abs=0.02)
    assert (shown[chosen] == 7).float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert bool((shown[~chosen] == 7).all())


def test_mean_of_nothing_is_zero() -> None:
    assert mean_where(torch.ones(2, 2), torch.zeros(2, 2, dtype=torch.bool)).item() == 0
