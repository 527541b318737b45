"""consistency against loops and torch's own cosine embedding loss; who is mismatched with whom."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from by_hand import assert_same, cos, rows
from loss_inputs import loss_inputs

from dalr_bench import Dims, SuiteError, TeacherRows
from dalr_bench_plugins.losses.consistency import Consistency

N, D, E = 8, 5, 6
KEYS = [0, 0, 1, 1, 2, 3, 3, 3]


def made(width: int = E, **options: Any) -> Consistency:
    torch.manual_seed(0)
    loss = Consistency("clip", dims=Dims(student=D, image={"clip": width}), **options)
    loss.text_tower.double()
    loss.image_tower.double()
    return loss


@pytest.fixture
def text() -> torch.Tensor:
    return rows(N, D, 1, grad=True)


def by_hand(
    text: torch.Tensor, image: torch.Tensor, partner: list[int], margin: float, keys: list[int]
) -> torch.Tensor:
    matched = [1 - cos(text[i], image[i]) for i in range(N)]
    others = [i for i in range(N) if keys[partner[i]] != keys[i]]
    wrong = [(cos(text[i], image[partner[i]]) - margin).clamp_min(0) for i in others]
    return (sum(matched) + sum(wrong)) / (N + len(others))


@pytest.mark.parametrize("margin", [0.2, -0.3])
@pytest.mark.parametrize("roll", [1, 5, 11])
def test_roll_equals_loops(text: torch.Tensor, margin: float, roll: int) -> None:
    """The towers left out: (1/2N) Σ over matched and rolled pairs, same picture or not."""
    image = rows(N, D, 2)
    loss = made(width=D, layers=0, margin=margin, mismatch="roll", roll=roll)
    got = loss(loss_inputs([text], {"clip": TeacherRows(image_NE=image)}, images=KEYS)).loss
    assert_same(got, by_hand(text, image, [(i - roll) % N for i in range(N)], margin, list(range(N))), [text])


def test_roll_equals_torchs_own_loss(text: torch.Tensor) -> None:
    """CosineEmbeddingLoss over 2N pairs with labels +1 and −1, as the released code builds it."""
    image = rows(N, D, 2)
    loss = made(width=D, layers=0, mismatch="roll")
    got = loss(loss_inputs([text], {"clip": TeacherRows(image_NE=image)})).loss
    labels = torch.cat([torch.ones(N), -torch.ones(N)])
    both = torch.cat([image, image.roll(5, 0)])
    want = torch.nn.functional.cosine_embedding_loss(torch.cat([text, text]), both, labels, margin=0.2)
    assert_same(got, want, [text])


@pytest.mark.parametrize("seed", range(5))
def test_derangement_equals_loops_through_the_towers(text: torch.Tensor, seed: int) -> None:
    image = rows(N, E, 2, grad=True)
    loss = made(dim=4, final=False)
    inputs = loss_inputs([text], {"clip": TeacherRows(image_NE=image)}, images=KEYS, seed=seed)
    partner = loss.partners(loss_inputs([text], images=KEYS, seed=seed))[0].tolist()
    output = loss(inputs)
    want = by_hand(loss.text_tower(text), loss.image_tower(image.detach()), partner, 0.2, KEYS)
    weights = [tower.steps[0].weight for tower in (loss.text_tower, loss.image_tower)]  # BatchNorm cancels the bias
    assert_same(output.loss, want, [text, *weights])
    assert torch.autograd.grad(loss(inputs).loss, image, allow_unused=True) == (None,)


def test_derangement_avoids_the_same_picture_and_is_a_permutation(text: torch.Tensor) -> None:
    loss = made()
    seen = set()
    for seed in range(50):
        partner, valid = loss.partners(loss_inputs([text], images=KEYS, seed=seed))
        assert sorted(partner.tolist()) == list(range(N))
        assert all(KEYS[j] != KEYS[i] for i, j in enumerate(partner.tolist()))
        assert valid.tolist() == [1] * N
        seen.add(tuple(partner.tolist()))
    assert len(seen) > 25  # drawn, not fixed


def test_without_pictures_keys_every_sentence_has_its_own(text: torch.Tensor) -> None:
    partner, valid = made().partners(loss_inputs([text]))
    assert all(i != j for i, j in enumerate(partner.tolist()))
    assert int(valid.sum()) == N


@pytest.mark.parametrize("keys", [[0] * 8, [0] * 5 + [1, 2, 3], [0] * 7 + [1]])
def test_where_no_derangement_exists_own_pictures_are_left_out(text: torch.Tensor, keys: list[int]) -> None:
    image = rows(N, D, 2)
    loss = made(width=D, layers=0)
    inputs = loss_inputs([text], {"clip": TeacherRows(image_NE=image)}, images=keys, seed=3)
    partner, valid = loss.partners(loss_inputs([text], images=keys, seed=3))
    assert sorted(partner.tolist()) == list(range(N))
    assert valid.tolist() == [int(keys[j] != keys[i]) for i, j in enumerate(partner.tolist())]
    assert_same(loss(inputs).loss, by_hand(text, image, partner.tolist(), 0.2, keys), [text])


def test_closed_form_parallel_and_opposite() -> None:
    """All equal: matched cost 0, mismatched 1 − m, mean (1 − m)/2. Opposite: matched cost 2, mismatched 0, mean 1."""
    ones = torch.ones(N, D)
    loss = made(width=D, layers=0, margin=0.2)
    assert loss(loss_inputs([ones], {"clip": TeacherRows(image_NE=ones)})).loss.item() == pytest.approx(0.4)
    assert loss(loss_inputs([ones], {"clip": TeacherRows(image_NE=-ones)})).loss.item() == pytest.approx(1.0)


def test_reports_both_kinds(text: torch.Tensor) -> None:
    image = rows(N, D, 2)
    loss = made(width=D, layers=0, mismatch="roll")
    output = loss(loss_inputs([text], {"clip": TeacherRows(image_NE=image)}))
    assert torch.allclose((output.terms["matched"] + output.terms["mismatched"]) / 2, output.loss.detach())


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ({}, ["Linear", "BatchNorm", "ReLU"] * 2),
        ({"final": False}, ["Linear", "BatchNorm", "ReLU", "Linear"]),
        ({"batchnorm": False}, ["Linear", "ReLU"] * 2),
        ({"layers": 1, "final": False}, ["Linear"]),
    ],
)
def test_towers_are_what_the_options_say(options: dict[str, Any], kinds: list[str]) -> None:
    tower = made(**options).text_tower
    assert [type(step).__name__ for step in tower.steps] == kinds


def test_hidden_is_the_width_before_the_last() -> None:
    loss = made(hidden=9, dim=4, layers=3)
    assert [step.out_features for step in loss.text_tower.steps if isinstance(step, torch.nn.Linear)] == [9, 9, 4]
    assert [step.out_features for step in loss.image_tower.steps if isinstance(step, torch.nn.Linear)] == [9, 9, 4]


def test_final_relu_keeps_cosines_positive() -> None:
    loss = made(dim=4)
    assert loss.text_tower(rows(N, D, 3)).min().item() >= 0
    assert made(dim=4, final=False).text_tower(rows(N, D, 3)).min().item() < 0


def test_a_row_of_zeros_has_cosine_zero_and_a_finite_gradient() -> None:
    """What a ReLU at the end can leave of a sentence."""
    text = torch.zeros(N, D, requires_grad=True)
    loss = made(width=D, layers=0)(loss_inputs([text], {"clip": TeacherRows(image_NE=torch.ones(N, D))})).loss
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0.5)
    assert bool(text.grad.isfinite().all())


def test_without_towers_widths_must_agree() -> None:
    with pytest.raises(SuiteError, match="wide"):
        made(layers=0)
