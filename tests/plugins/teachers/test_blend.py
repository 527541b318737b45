"""Mixtures of teachers, each against its formula in loops."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from dalr_bench import Part, SuiteError, TeacherRows
from dalr_bench.plugin.manager import load
from dalr_bench_plugins.teachers.blend import Blend, ranks_NN

N = 5


@pytest.fixture
def parts() -> list[TeacherRows]:
    torch.manual_seed(0)
    return [TeacherRows(text_NT=torch.randn(N, 3)), TeacherRows(text_NT=10 * torch.randn(N, 7))]


def cosine(rows: torch.Tensor, i: int, j: int) -> float:
    a, b = rows[i].tolist(), rows[j].tolist()
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return float(dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b)))


@pytest.mark.parametrize("weights", [None, [0.33, 0.67], [2.0, 6.0], [0.0, 1.0]])
def test_similarity_is_exactly_the_weighted_cosine(weights: Any, parts: list[TeacherRows]) -> None:
    shares = [0.5, 0.5] if weights is None else [weight / sum(weights) for weight in weights]
    mixed = Blend(["a", "b"], weights).combine(parts)
    assert mixed.text_NT is not None
    assert mixed.text_NT.shape == (N, 10)
    rows = [part.text_NT for part in parts if part.text_NT is not None]
    for i in range(N):
        for j in range(N):
            wanted = sum(share * cosine(row, i, j) for share, row in zip(shares, rows, strict=True))
            assert mixed.similarity_NN()[i, j].item() == pytest.approx(wanted, abs=1e-5)


def test_vector_is_the_weighted_sum_of_raw_rows(parts: list[TeacherRows]) -> None:
    same = [parts[0], TeacherRows(text_NT=5 + torch.randn(N, 3))]
    mixed = Blend(["a", "b"], [0.33, 0.67], "vector").combine(same)
    assert same[0].text_NT is not None
    assert same[1].text_NT is not None
    assert mixed.text_NT is not None
    for i in range(N):
        for d in range(3):
            wanted = 0.33 * same[0].text_NT[i, d].item() + 0.67 * same[1].text_NT[i, d].item()
            assert mixed.text_NT[i, d].item() == pytest.approx(wanted, abs=1e-5)


def test_vectors_of_other_widths_are_refused(parts: list[TeacherRows]) -> None:
    with pytest.raises(SuiteError, match=r"rows of one width, got \{'a': 3, 'b': 7\}; use `by: similarity`"):
        Blend(["a", "b"], by="vector").combine(parts)


def test_order_is_the_weighted_mean_of_ranks(parts: list[TeacherRows]) -> None:
    mixed = Blend(["a", "b"], [1.0, 3.0], "order").combine(parts)
    assert mixed.text_NT is None
    got = mixed.similarity_NN()
    for i in range(N):
        for j in range(N):
            wanted = 0.0
            for share, part in zip((0.25, 0.75), parts, strict=True):
                sims = part.similarity_NN()[i].tolist()
                below = sum(other < sims[j] for k, other in enumerate(sims) if k != j)
                ties = sum(other == sims[j] for k, other in enumerate(sims) if k != j)
                wanted += share * (below + ties / 2) / (N - 1)
            assert got[i, j].item() == pytest.approx(wanted, abs=1e-6)


def test_order_forgets_how_near(parts: list[TeacherRows]) -> None:
    sim = parts[0].similarity_NN()
    stretched = TeacherRows(sim_NN=torch.exp(7 * sim))
    alike = [Blend(["a"], by="order").combine([part]).similarity_NN() for part in (TeacherRows(sim_NN=sim), stretched)]
    torch.testing.assert_close(alike[0], alike[1])


def test_ties_share_their_rank_and_a_batch_of_one_has_one() -> None:
    assert ranks_NN(torch.tensor([[3.0, 1.0, 1.0]])).tolist() == [[1.0, 0.25, 0.25]]
    assert ranks_NN(torch.tensor([[2.0]])).tolist() == [[0.0]]


def test_a_blend_may_be_part_of_a_blend(parts: list[TeacherRows]) -> None:
    inner = Blend(["a", "b"], by="order").combine(parts)
    mixed = Blend(["ab", "a"], [1.0, 1.0]).combine([inner, parts[0]]).similarity_NN()
    torch.testing.assert_close(mixed, (inner.similarity_NN() + parts[0].similarity_NN()) / 2)
    with pytest.raises(SuiteError, match="teacher 'ab' has no text rows to mix by vector"):
        Blend(["ab", "a"], by="vector").combine([inner, parts[0]])


def test_pictures_pass_where_one_part_has_them(parts: list[TeacherRows]) -> None:
    image = torch.randn(N, 4)
    seeing = TeacherRows(text_NT=parts[1].text_NT, image_NE=image)
    mixed = Blend(["a", "b"]).combine([parts[0], seeing])
    assert mixed.image_NE is image
    assert Blend(["b", "c"]).combine([seeing, seeing]).image_NE is None
    assert Blend(["b"]).combine([TeacherRows(image_NE=image)]).text_NT is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"of": []}, "`of` names no teacher"),
        ({"of": ["a", "b"], "weights": [1.0]}, "1 weight for 2 teachers"),
        ({"of": ["a", "b"], "weights": [1.0, -0.1]}, "weights must be at least 0"),
        ({"of": ["a", "b"], "weights": [0.0, 0.0]}, "weights must be at least 0 and not all 0"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SuiteError, match=said):
        Blend(**options)


def test_the_plan_sees_its_parts_as_teachers() -> None:
    from dalr_bench.plugin.registry import references

    catalogue = load(frozenset({"teacher"})).catalogue
    found = references(catalogue.get("teacher", "blend"), {"of": ["a", "b"]})
    assert [(ref.section, ref.side, name) for _, ref, name in found] == [("teachers", None, n) for n in "ab"]
    assert catalogue.build("teacher", Part("blend", {"of": ["a"]})).of == ["a"]
