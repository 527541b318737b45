"""image_grounding against loops: MCSE's term, KDMCSE's margin, text term and threshold in its readings."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from by_hand import Table, arc, assert_same, cross_entropy, log_shares, rows, scaled, table
from loss_inputs import loss_inputs

from dalr_bench import Dims, SpaceProvider, SuiteError, TeacherRows, TrainingError
from dalr_bench_plugins.losses.image_grounding import ImageGrounding

N, D, E, T, DIM = 5, 6, 7, 4, 3
DIMS = Dims(student=D, text={"clip": T}, image={"clip": E})


def made(**options: Any) -> ImageGrounding:
    torch.manual_seed(0)
    loss = ImageGrounding("clip", dim=DIM, dims=DIMS, **options)
    for head in (loss.text_head, loss.image_head, getattr(loss, "teacher_text_head", torch.nn.Identity())):
        head.double()
    return loss


@pytest.fixture
def views() -> list[torch.Tensor]:
    return [rows(N, D, 1, grad=True), rows(N, D, 2, grad=True)]


@pytest.fixture
def clip() -> TeacherRows:
    return TeacherRows(text_NT=rows(N, T, 3, grad=True), image_NE=rows(N, E, 4, grad=True))


def linear_tanh(head: Any, values: torch.Tensor) -> torch.Tensor:
    return torch.tanh(values @ head[0].weight.T + head[0].bias)


def term(
    loss: ImageGrounding, views: list[torch.Tensor], target: torch.Tensor, soft: Table | None, margin: float = 0
) -> Any:
    tables = [arc(table(linear_tanh(loss.text_head, view), target), margin, soft) for view in views]
    return sum(cross_entropy(scaled(values, 20)) for values in tables) / len(views)


def test_equals_loops(views: list[torch.Tensor], clip: TeacherRows) -> None:
    """MCSE: ½ Σ over the views, from the rows before the training head."""
    loss = made()
    unused = [rows(N, D, 8), rows(N, D, 9)]
    got = loss(loss_inputs(unused, {"clip": clip}, pooled=views)).loss
    want = term(loss, views, linear_tanh(loss.image_head, clip.image_NE), None)
    assert_same(got, want, [*views, *loss.text_head.parameters(), *loss.image_head.parameters()])


@pytest.mark.parametrize("adaptive", [True, False])
def test_margin_with_soft_labels(views: list[torch.Tensor], clip: TeacherRows, adaptive: bool) -> None:
    loss = made(margin=0.4, adaptive=adaptive)
    image = clip.image_NE.detach()
    soft = table(image, image) if adaptive else None
    want = term(loss, views, linear_tanh(loss.image_head, image), soft, 0.4)
    assert_same(loss(loss_inputs(views, {"clip": clip})).loss, want, views)


@pytest.mark.parametrize(("combine", "share"), [("mean", 0.5), ("sum", 1.0)])
def test_teacher_text_term(views: list[torch.Tensor], clip: TeacherRows, combine: str, share: float) -> None:
    loss = made(text="clip", margin=0.15, combine=combine)
    image, text = clip.image_NE.detach(), clip.text_NT.detach()
    first = term(loss, views, linear_tanh(loss.image_head, image), table(image, image), 0.15)
    second = term(loss, views, linear_tanh(loss.teacher_text_head, text), table(text, text), 0.15)
    output = loss(loss_inputs(views, {"clip": clip}))
    assert_same(output.loss, share * (first + second), [*views, *loss.teacher_text_head.parameters()])
    assert torch.allclose(output.terms["image"], first)
    assert torch.allclose(output.terms["text"], second)


def filtered(logits: Table, scores: Table, threshold: float) -> torch.Tensor:
    terms = []
    for i, row in enumerate(logits):
        kept = [j for j in range(N) if j == i or scores[i][j] <= threshold]
        terms.append(-log_shares([row[j] for j in kept])[kept.index(i)])
    return sum(terms) / N


@pytest.mark.parametrize("reading", ["product", "cosine", "within"])
def test_threshold_takes_likely_matches_out(views: list[torch.Tensor], reading: str) -> None:
    """Captions against pictures (as they are, or normalised), or pictures against pictures."""
    captions, pictures = rows(N, E, 5), rows(N, E, 4)
    dims = Dims(student=D, text={"clip": E}, image={"clip": E})
    torch.manual_seed(0)
    options: dict[str, Any] = {"text": "clip", "threshold": 0.1, "threshold_of": reading, "combine": "sum"}
    loss = ImageGrounding("clip", dim=DIM, dims=dims, **options)
    for head in (loss.text_head, loss.image_head, loss.teacher_text_head):
        head.double()
    scores: dict[str, Table] = {
        "product": [[a @ b for b in pictures] for a in captions],
        "cosine": table(captions, pictures),
        "within": table(pictures, pictures),
    }
    image_scores = scores[reading]
    text_scores = (
        table(captions, captions) if reading == "within" else [list(c) for c in zip(*image_scores, strict=True)]
    )
    total = torch.zeros((), dtype=torch.float64)
    for head, target, own in (
        (loss.image_head, pictures, image_scores),
        (loss.teacher_text_head, captions, text_scores),
    ):
        for view in views:
            logits = scaled(table(linear_tanh(loss.text_head, view), linear_tanh(head, target)), 20)
            total = total + filtered(logits, own, 0.1) / 2
    teacher = {"clip": TeacherRows(text_NT=captions, image_NE=pictures)}
    assert_same(loss(loss_inputs(views, teacher)).loss, total, views)


def test_threshold_above_every_score_changes_nothing(views: list[torch.Tensor], clip: TeacherRows) -> None:
    plain, high = made(), made(threshold=1.1, threshold_of="within")
    inputs = loss_inputs(views, {"clip": clip})
    assert torch.allclose(plain(inputs).loss, high(inputs).loss)


def test_threshold_without_captions_is_a_fault() -> None:
    with pytest.raises(SuiteError, match="needs caption rows"):
        made(threshold=0.8, threshold_of="product")


def test_same_image_masked(views: list[torch.Tensor], clip: TeacherRows) -> None:
    keys = [0, 0, 1, 1, 2]
    loss = made(same_image="mask")
    same = [[torch.tensor(float(a == b)) for b in keys] for a in keys]
    target = linear_tanh(loss.image_head, clip.image_NE.detach())
    tables = [scaled(table(linear_tanh(loss.text_head, view), target), 20) for view in views]
    want = sum(filtered(values, same, 0.5) for values in tables) / 2
    assert_same(loss(loss_inputs(views, {"clip": clip}, images=keys)).loss, want, views)
    assert torch.allclose(
        loss(loss_inputs(views, {"clip": clip})).loss, made()(loss_inputs(views, {"clip": clip})).loss
    )


def test_closed_form_matched_orthogonal() -> None:
    """Identity heads, sentences equal to their orthogonal pictures: −log(e^{1/τ}/(e^{1/τ} + N − 1))."""
    eye = torch.eye(4)
    loss = ImageGrounding("clip", dim=4, heads="none", temperature=0.5, dims=Dims(4, image={"clip": 4}))
    got = loss(loss_inputs([eye, eye], {"clip": TeacherRows(image_NE=eye)})).loss
    assert float(got) == pytest.approx(math.log(math.exp(2) + 3) - 2, rel=1e-6)


def test_teachers_get_no_gradient(views: list[torch.Tensor], clip: TeacherRows) -> None:
    loss = made(text="clip", margin=0.2)
    loss(loss_inputs(views, {"clip": clip})).loss.backward()
    assert clip.image_NE.grad is None
    assert clip.text_NT.grad is None
    assert all(float(view.grad.abs().max()) > 0 for view in views)


def test_space_is_what_the_loss_compares(views: list[torch.Tensor], clip: TeacherRows) -> None:
    loss = made(heads="linear")
    assert isinstance(loss, SpaceProvider)
    space = loss.space(loss_inputs(views, {"clip": clip}))
    assert space.text_NVE.shape == (N, 2, DIM)
    assert space.image_NE.shape == (N, DIM)
    assert torch.allclose(space.text_NVE.norm(dim=-1), torch.ones(N, 2, dtype=torch.float64))
    assert torch.equal(space.text_NVE[:, 1], loss.project_text(views[1]))
    assert torch.equal(space.image_NE, loss.project_image(clip.image_NE))


def test_heads_none_needs_equal_widths() -> None:
    with pytest.raises(SuiteError, match="heads: none"):
        made(heads="none")


def test_a_stream_without_pictures_is_named(views: list[torch.Tensor]) -> None:
    with pytest.raises(TrainingError, match="teacher 'clip' has no image rows"):
        made()(loss_inputs(views, {"clip": TeacherRows()}))
