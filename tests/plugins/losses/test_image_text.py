"""image_text against loops, from a teacher's rows and from pixels; the space it leaves behind."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from by_hand import assert_same, cross_entropy, log_shares, rows, table, transposed
from loss_inputs import loss_inputs

from dalr_bench import Dims, SpaceProvider, SuiteError, TeacherRows, TrainingError
from dalr_bench_plugins.losses.image_text import ImageText

N, D, E, DIM, P = 5, 4, 6, 3, 16
DIMS = Dims(student=D, image={"clip": E})


def made(**options: Any) -> ImageText:
    torch.manual_seed(0)
    loss = ImageText(dims=DIMS, **({"image": "clip", "dim": DIM} | options))
    for module in (loss.text_head, loss.image_head, loss.scale):
        module.double()
    return loss


@pytest.fixture
def text() -> torch.Tensor:
    return rows(N, D, 1, grad=True)


@pytest.fixture
def image() -> torch.Tensor:
    return rows(N, E, 2, grad=True)


def pictures(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (N, 3, P, P), dtype=torch.uint8, generator=generator)


def projected(loss: ImageText, text: torch.Tensor, image: torch.Tensor) -> Any:
    left = text @ loss.text_head.weight.T + loss.text_head.bias
    right = image.detach() @ loss.image_head.weight.T + loss.image_head.bias
    return table(left, right)


def test_equals_loops(text: torch.Tensor, image: torch.Tensor) -> None:
    """From the pooled row, not the training head's."""
    loss = made()
    factor = loss.scale.log_scale.exp()
    logits = [[factor * x for x in row] for row in projected(loss, text, image)]
    want = (cross_entropy(logits) + cross_entropy(transposed(logits))) / 2
    inputs = loss_inputs([rows(N, D, 9)], {"clip": TeacherRows(image_NE=image)}, pooled=[text])
    wrt = [text, *loss.text_head.parameters(), *loss.image_head.parameters(), loss.scale.log_scale]
    assert_same(loss(inputs).loss, want, wrt)


def test_views_are_averaged(text: torch.Tensor, image: torch.Tensor) -> None:
    loss, other = made(), rows(N, D, 3)
    teacher = {"clip": TeacherRows(image_NE=image)}
    ones = [loss(loss_inputs([view], teacher)).loss for view in (text, other)]
    assert torch.allclose(loss(loss_inputs([text, other], teacher)).loss, (ones[0] + ones[1]) / 2)


def test_same_image_masked(text: torch.Tensor, image: torch.Tensor) -> None:
    keys = [0, 0, 1, 2, 0]
    loss = made(same_image="mask")
    logits = [[x / 0.07 for x in row] for row in projected(loss, text, image)]
    total = torch.zeros((), dtype=torch.float64)
    for values in (logits, transposed(logits)):
        for i, row in enumerate(values):
            kept = [j for j in range(N) if j == i or keys[j] != keys[i]]
            total = total - log_shares([row[j] for j in kept])[kept.index(i)] / (2 * N)
    got = loss(loss_inputs([text], {"clip": TeacherRows(image_NE=image)}, images=keys)).loss
    assert_same(got, total, [text], tolerance=1e-6)


def test_closed_form_no_information() -> None:
    same = {"clip": TeacherRows(image_NE=torch.ones(N, E, dtype=torch.float64))}
    loss = made()(loss_inputs([torch.ones(N, D, dtype=torch.float64)], same)).loss
    assert loss.item() == pytest.approx(math.log(N))


def test_scale_starts_where_told_and_is_capped(text: torch.Tensor, image: torch.Tensor) -> None:
    inputs = loss_inputs([text], {"clip": TeacherRows(image_NE=image)})
    assert made()(inputs).terms["scale"].item() == pytest.approx(1 / 0.07)
    loss = made(temperature=0.001)
    assert loss(inputs).terms["scale"].item() == pytest.approx(100)
    assert made(temperature=0.001, max_scale=None)(inputs).terms["scale"].item() == pytest.approx(1000)
    assert not made(learned=False).scale.log_scale.requires_grad


def test_from_pixels_everything_learns() -> None:
    torch.manual_seed(0)
    loss = ImageText(pixels=P, dim=DIM, channels=[4, 8, 8], dims=DIMS)
    assert loss.needs_pixels == P
    assert loss.views == 1
    text = torch.randn(N, D, requires_grad=True)
    loss(loss_inputs([text], pixels=pictures())).loss.backward()
    grads = [parameter.grad for module in (loss.text_head, loss.image_head) for parameter in module.parameters()]
    assert all(grad is not None and float(grad.abs().max()) > 0 for grad in grads)
    assert float(text.grad.abs().max()) > 0


def test_from_pixels_training_finds_the_pairs() -> None:
    """Eight steps on five pairs: the loss falls and every sentence finds its picture."""
    torch.manual_seed(0)
    loss = ImageText(pixels=P, dim=8, channels=[8, 16], dims=DIMS)
    inputs = loss_inputs([torch.randn(N, D)], pixels=pictures())
    parameters = [p for module in (loss.text_head, loss.image_head, loss.scale) for p in module.parameters()]
    optimizer = torch.optim.Adam(parameters, 0.02)
    first = loss(inputs).loss.item()
    for _ in range(30):
        optimizer.zero_grad()
        loss(inputs).loss.backward()
        optimizer.step()
    space = loss.space(inputs)
    assert loss(inputs).loss.item() < first / 4
    assert (space.text_NVE[:, 0] @ space.image_NE.T).argmax(1).tolist() == list(range(N))


def test_space_projects_single_pictures_and_sentences() -> None:
    loss = ImageText(pixels=P, dim=DIM, channels=[4], dims=DIMS)
    loss.image_head.eval()
    text = torch.randn(N, D)
    space = loss.space(loss_inputs([text, text], pixels=pictures()))
    assert isinstance(loss, SpaceProvider)
    assert space.text_NVE.shape == (N, 2, DIM)
    alone = torch.cat([loss.project_image(one[None]) for one in pictures()])
    assert torch.allclose(space.image_NE, alone, atol=1e-6)
    assert torch.allclose(space.text_NVE[:, 1], loss.project_text(text))


def test_teacher_gets_no_gradient(text: torch.Tensor, image: torch.Tensor) -> None:
    made()(loss_inputs([text], {"clip": TeacherRows(image_NE=image)})).loss.backward()
    assert image.grad is None


@pytest.mark.parametrize("options", [{}, {"image": "clip", "pixels": 32}])
def test_one_image_side_must_be_named(options: dict[str, Any]) -> None:
    with pytest.raises(SuiteError, match="one image side"):
        ImageText(dims=DIMS, **options)


def test_a_stream_without_pictures_is_named(text: torch.Tensor) -> None:
    loss = ImageText(pixels=P, channels=[4], dims=DIMS)
    with pytest.raises(TrainingError, match="this stream has none"):
        loss(loss_inputs([text.float()]))


def test_too_many_layers_for_the_picture() -> None:
    with pytest.raises(SuiteError, match="too small"):
        ImageText(pixels=4, channels=[], dims=DIMS)
