"""sentence-transformers' losses over given rows: the usual families by hand, gradients checked, the others refused by name."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from loss_inputs import loss_inputs
from torch import Tensor

from dalr_bench import Dims, SuiteError, TeacherRows
from dalr_bench.plugin.manager import load
from dalr_bench.types import Part
from dalr_bench_plugins.losses.infonce import InfoNce
from dalr_bench_plugins.losses.st_loss import SentenceTransformersLoss as StLoss
from dalr_bench_plugins.networks.given_rows import REFUSED

N, D = 6, 5
DIMS = Dims(student=D, text={"a": D})


def views(count: int = 2, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    draw = torch.Generator().manual_seed(3)
    return [torch.randn(N, D, generator=draw, dtype=dtype).requires_grad_() for _ in range(count)]


def taught() -> dict[str, TeacherRows]:
    return {"a": TeacherRows(text_NT=torch.randn(N, D, generator=torch.Generator().manual_seed(9)))}


def built(loss: str, **more: Any) -> StLoss:
    """As a suite builds it: options validated."""
    made: StLoss = load(frozenset({"loss"})).catalogue.build("loss", Part("st_loss", {"loss": loss, **more}), dims=DIMS)
    return made


def cosine(a: Tensor, b: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a, b, dim=0))


@pytest.mark.parametrize("count", [2, 3], ids=["pairs", "triplets"])
def test_multiple_negatives_ranking_is_our_infonce(count: int) -> None:
    """Value and gradient, on pairs and on triplets with hard negatives."""
    ours, theirs = views(count), views(count)
    own = InfoNce(temperature=0.05)(loss_inputs(ours)).loss
    other = built("MultipleNegativesRankingLoss")(loss_inputs(theirs)).loss
    assert own.item() == pytest.approx(other.item(), rel=1e-5)
    own.backward()
    other.backward()
    for one, two in zip(ours, theirs, strict=True):
        assert one.grad is not None
        assert two.grad is not None
        assert torch.allclose(one.grad, two.grad, atol=1e-6)


def test_its_options_are_taken_by_name() -> None:
    scaled = built("MultipleNegativesRankingLoss", options={"scale": 1.0, "similarity_fct": "dot_score"})
    given = views()
    logits = (given[0] @ given[1].T).log_softmax(1)
    assert scaled(loss_inputs(given)).loss.item() == pytest.approx(-logits.diagonal().mean().item(), rel=1e-5)


def test_triplets_by_hand() -> None:
    given = views(3)
    made = built("TripletLoss", options={"distance_metric": "COSINE", "triplet_margin": 0.5})
    anchor, near, far = (column.detach() for column in given)
    terms = [max(0.0, cosine(anchor[i], far[i]) - cosine(anchor[i], near[i]) + 0.5) for i in range(N)]
    assert made(loss_inputs(given)).loss.item() == pytest.approx(sum(terms) / N, rel=1e-5)


def test_cosent_ranks_pairs_as_the_teacher_does() -> None:
    given, known = views(), taught()
    rows = known["a"].text_NT
    assert rows is not None
    gold = [cosine(rows[i], rows[(i + 1) % N]) for i in range(N)]
    own = [20 * cosine(given[0][i].detach(), given[1][(i + 1) % N].detach()) for i in range(N)]
    total = 1.0 + sum(math.exp(own[i] - own[j]) for i in range(N) for j in range(N) if gold[i] < gold[j])
    made = built("CoSENTLoss", teacher="a")
    assert made(loss_inputs(given, known)).loss.item() == pytest.approx(math.log(total), rel=1e-4)


def test_cosines_margins_and_rows_of_a_teacher() -> None:
    given, known = views(), taught()
    rows = known["a"].text_NT
    assert rows is not None
    near = torch.tensor([cosine(rows[i], rows[(i + 1) % N]) for i in range(N)])
    far = torch.tensor([cosine(rows[i], rows[(i + 2) % N]) for i in range(N)])
    first, second = (column.detach() for column in given)
    cosines = torch.tensor([cosine(first[i], second[(i + 1) % N]) for i in range(N)])
    mean = torch.nn.functional.mse_loss
    got = built("CosineSimilarityLoss", teacher="a")(loss_inputs(given, known)).loss
    assert got.item() == pytest.approx(mean(cosines, near).item(), rel=1e-4)
    dots = [(first * second.roll(-shift, 0)).sum(1) for shift in (1, 2)]
    got = built("MarginMSELoss", teacher="a")(loss_inputs(given, known)).loss
    assert got.item() == pytest.approx(mean(dots[0] - dots[1], near - far).item(), rel=1e-4)
    got = built("MSELoss", teacher="a")(loss_inputs(given, known)).loss
    assert got.item() == pytest.approx(mean(first, rows).item(), rel=1e-4)


def test_contrast_of_labelled_pairs() -> None:
    given = views()
    first, second = (column.detach() for column in given)
    total = 0.0
    for i in range(N):
        same, other = 1 - cosine(first[i], second[i]), 1 - cosine(first[i], second[(i + 1) % N])
        total += 0.5 * (same**2 + max(0.0, 0.5 - other) ** 2)
    assert built("ContrastiveLoss")(loss_inputs(given)).loss.item() == pytest.approx(total / (2 * N), rel=1e-4)


def test_batch_losses_know_which_rows_belong_together() -> None:
    given = views()
    made = built("BatchHardTripletLoss", options={"margin": 1.0})
    flat = torch.stack(given, 1).flatten(0, 1).detach()
    keys = [0, 0, 1, 2, 3, 3]
    labels = [key for key in keys for _ in range(2)]
    terms = []
    for i, row in enumerate(flat):
        far = max(float((row - flat[j]).norm()) for j in range(2 * N) if labels[j] == labels[i])
        near = min(float((row - flat[j]).norm()) for j in range(2 * N) if labels[j] != labels[i])
        terms.append(max(0.0, far - near + 1.0))
    got = made(loss_inputs(given, images=keys)).loss
    assert got.item() == pytest.approx(sum(terms) / len(terms), rel=1e-3)


def test_every_loss_of_the_library_works_or_is_refused_by_name() -> None:
    from sentence_transformers.sentence_transformer import losses

    names = [name for name in losses.__all__ if name.endswith("Loss") or name.startswith("ContrastiveTensionLoss")]
    worked = []
    for name in names:
        if name in REFUSED:
            with pytest.raises(SuiteError, match=name):
                StLoss(name, dims=DIMS)
            continue
        given = views(3 if name == "TripletLoss" else 2)
        loss = StLoss(name, teacher="a", dims=DIMS)(loss_inputs(given, taught())).loss
        assert loss.shape == ()
        loss.backward()
        assert any(view.grad is not None and bool(view.grad.isfinite().all()) for view in given), name
        worked.append(name)
    assert len(worked) >= 15
    assert set(REFUSED) <= set(names)


@pytest.mark.parametrize("name", ["MultipleNegativesRankingLoss", "CoSENTLoss", "TripletLoss", "MarginMSELoss"])
def test_gradients(name: str) -> None:
    """Finite differences in the direction of a fixed step."""
    given = views(3 if name == "TripletLoss" else 2)
    made = StLoss(name, teacher="a", dims=DIMS)
    made(loss_inputs(given, taught())).loss.backward()
    step = torch.randn(N, D, generator=torch.Generator().manual_seed(1)) * 1e-2
    with torch.no_grad():
        up, down = (made(loss_inputs([given[0] + sign * step, *given[1:]], taught())).loss.item() for sign in (1, -1))
    assert given[0].grad is not None
    assert float((given[0].grad * step).sum()) == pytest.approx((up - down) / 2, rel=0.02, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"loss": "MultipleNegativesRankingLos"}, "Did you mean 'MultipleNegativesRankingLoss'"),
        ({"loss": "SiameseDistanceMetric"}, "has no loss 'SiameseDistanceMetric'"),
        ({"loss": "GISTEmbedLoss"}, "calls another model on the texts; a loss here sees rows, never the model"),
        ({"options": {"scal": 1.0}}, "has no option 'scal'. Did you mean 'scale'"),
        ({"options": {"similarity_fct": "system"}}, "knows no similarity_fct 'system'"),
        ({"options": {"similarity_fct": "__import__"}}, "knows no similarity_fct"),
        ({"loss": "CoSENTLoss"}, "is told the similarity of a teacher: give `teacher`"),
        ({"loss": "EmbedDistillLoss", "teacher": "a", "options": {"distance_metric": "far"}}, "cannot be built"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(options: dict[str, Any], told: str) -> None:
    with pytest.raises(SuiteError) as error:
        StLoss(**options, dims=DIMS)
    assert told in str(error.value)
