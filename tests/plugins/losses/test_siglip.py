"""siglip against loops, over another's space and with its own heads."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from by_hand import assert_same, rows, table
from loss_inputs import loss_inputs

from dalr_bench import Dims, JointSpace, SpaceProvider, SuiteError, TeacherRows
from dalr_bench_plugins.losses.siglip import siglip

N, D, E, DIM = 5, 4, 6, 3
DIMS = Dims(student=D, image={"clip": E})
KEYS = [0, 0, 1, 2, 2]


def by_hand(cosines: Any, scale: Any, bias: Any, sign: Any = None) -> torch.Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for i, row in enumerate(cosines):
        for j, cosine in enumerate(row):
            y = (1 if i == j else -1) if sign is None else sign(i, j)
            if y:
                total = total - (1 / (1 + (-y * (scale * cosine + bias)).exp())).log()
    return total / len(cosines)


@pytest.fixture
def space() -> JointSpace:
    return JointSpace(rows(N, DIM, 1, grad=True)[:, None], rows(N, DIM, 2, grad=True))


def over(space: JointSpace, images: list[int] | None = None, **options: Any) -> tuple[Any, Any]:
    loss = siglip(space="joint", dims=DIMS, **options)
    inputs = loss_inputs([rows(N, D, 3)], spaces={"joint": space}, images=images)
    return loss, loss(inputs)


@pytest.mark.parametrize(("scale", "bias"), [(10.0, -10.0), (2.0, 0.5)])
def test_over_a_space_equals_loops(space: JointSpace, scale: float, bias: float) -> None:
    loss, output = over(space, scale=scale, bias=bias)
    cosines = table(space.text_NVE[:, 0], space.image_NE)
    factor, shift = loss.scale.log_scale.exp(), loss.scale.bias
    wrt = [space.text_NVE, space.image_NE, loss.scale.log_scale, loss.scale.bias]
    assert_same(output.loss, by_hand(cosines, factor, shift), wrt, tolerance=1e-6)


@pytest.mark.parametrize(("same_image", "value"), [("negative", -1), ("mask", 0), ("positive", 1)])
def test_other_captions_of_the_same_picture(space: JointSpace, same_image: Any, value: int) -> None:
    _, output = over(space, KEYS, same_image=same_image)
    cosines = table(space.text_NVE[:, 0], space.image_NE)
    want = by_hand(cosines, 10, -10, lambda i, j: 1 if i == j else value if KEYS[i] == KEYS[j] else -1)
    assert_same(output.loss, want, [space.text_NVE, space.image_NE], tolerance=1e-5)


def test_views_are_averaged(space: JointSpace) -> None:
    other = rows(N, DIM, 7)
    both = JointSpace(torch.stack([space.text_NVE[:, 0], other], 1), space.image_NE)
    single = [over(JointSpace(view[:, None], space.image_NE))[1].loss for view in (space.text_NVE[:, 0], other)]
    assert torch.allclose(over(both)[1].loss, (single[0] + single[1]) / 2)


def test_own_heads_equal_loops_and_offer_a_space() -> None:
    torch.manual_seed(0)
    loss: Any = siglip(image="clip", dim=DIM, dims=DIMS)
    loss.text_head.double()
    loss.image_head.double()
    text, image = rows(N, D, 1, grad=True), rows(N, E, 2, grad=True)
    inputs = loss_inputs([rows(N, D, 9)], {"clip": TeacherRows(image_NE=image)}, pooled=[text])
    left = text @ loss.text_head.weight.T + loss.text_head.bias
    right = image.detach() @ loss.image_head.weight.T + loss.image_head.bias
    wrt = [text, *loss.text_head.parameters(), *loss.image_head.parameters()]
    assert_same(loss(inputs).loss, by_hand(table(left, right), 10, -10), wrt, tolerance=1e-5)
    assert isinstance(loss, SpaceProvider)
    assert torch.equal(loss.space(inputs).image_NE, loss.project_image(image))
    loss(inputs).loss.backward()
    assert image.grad is None


def test_over_a_space_owns_none(space: JointSpace) -> None:
    assert not isinstance(over(space)[0], SpaceProvider)


def test_closed_form_at_the_start() -> None:
    """Orthogonal pictures: N matched pairs at logit s + b = 0, N(N−1) others at b."""
    eye = torch.eye(N)
    _, output = over(JointSpace(eye[:, None], eye))
    assert float(output.loss.detach()) == pytest.approx(math.log(2) + (N - 1) * math.log(1 + math.exp(-10)), rel=1e-5)
    assert float(output.terms["scale"]) == pytest.approx(10)


def test_frozen_scale(space: JointSpace) -> None:
    loss, output = over(space, learned=False)
    output.loss.backward()
    assert [parameter.requires_grad for parameter in loss.scale.parameters()] == [False, False]


@pytest.mark.parametrize("options", [{}, {"image": "clip", "space": "joint"}])
def test_one_side_must_be_named(options: dict[str, str]) -> None:
    with pytest.raises(SuiteError, match="either `space`"):
        siglip(dims=DIMS, **options)
