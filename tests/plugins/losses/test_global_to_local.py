"""global_to_local against loops over sentences and tokens."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from by_hand import assert_same, rows
from loss_inputs import loss_inputs

from dalr_bench import Dims, SuiteError, TeacherRows, TrainingError
from dalr_bench_plugins.losses.global_to_local import GlobalToLocal

N, L, D = 4, 5, 3
LENGTHS = [5, 2, 4, 3]


def states(seed: int, width: int = D, length: int = L) -> TeacherRows:
    values = rows(N * length, width, seed).view(N, length, width).requires_grad_()
    mask = torch.tensor([[int(t < min(length, own)) for t in range(length)] for own in LENGTHS])
    return TeacherRows(states_NLT=values, states_mask_NL=mask)


def made(teachers: list[str], width: int = D, **options: Any) -> GlobalToLocal:
    dims = Dims(student=D, text=dict.fromkeys(teachers, width))
    loss = GlobalToLocal(teachers, dims=dims, **options)
    loss.head.double()
    return loss


@pytest.fixture
def text() -> torch.Tensor:
    return rows(N, D, 1, grad=True)


def by_hand(g: torch.Tensor, tokens: torch.Tensor, normalise: str, skip: int = 1, temperature: float = 0.05) -> Any:
    """Every real token of a sentence against that token and all real tokens of the others."""
    tokens = tokens.detach()
    kept = [[tokens[i, t] for t in range(skip, LENGTHS[i])] for i in range(N)]
    if normalise == "tokens":  # each channel over the sentence's tokens
        norms = [sum(token**2 for token in own).sqrt() for own in kept]
        kept = [[token / norm for token in own] for own, norm in zip(kept, norms, strict=True)]
    elif normalise == "width":
        kept = [[token / (token**2).sum().sqrt() for token in own] for own in kept]
    total = torch.zeros((), dtype=torch.float64)
    for i in range(N):
        others = [(token @ g[i] / temperature).exp() for j in range(N) if j != i for token in kept[j]]
        own = [(token @ g[i] / temperature).exp() for token in kept[i]]
        total = total - sum((score / (score + sum(others))).log() for score in own) / len(own)
    return total / N


@pytest.mark.parametrize("normalise", ["tokens", "width", "none"])
@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_equals_loops(text: torch.Tensor, normalise: str, skip: bool, temperature: float) -> None:
    teacher = states(2)
    loss = made(["a"], normalise=normalise, skip_first=skip, temperature=temperature)
    got = loss(loss_inputs([text], {"a": teacher})).loss
    assert_same(got, by_hand(text, teacher.states_NLT, normalise, int(skip), temperature), [text])


def test_states_of_two_teachers_are_averaged(text: torch.Tensor) -> None:
    first, second = states(2), states(3)
    loss = made(["a", "b"], weights=[0.33, 0.67])
    got = loss(loss_inputs([text], {"a": first, "b": second})).loss
    mixed = 0.33 * first.states_NLT + 0.67 * second.states_NLT
    assert_same(got, by_hand(text, mixed, "tokens"), [text])


def test_states_of_other_tokens_are_never_averaged(text: torch.Tensor) -> None:
    """Two tokenizers whose longest sentence is as long, both cut at one length for instance."""
    first, second = states(2), states(3)
    assert second.states_mask_NL is not None
    second.states_mask_NL[1, 2] = 1
    both = {"a": first, "b": second}
    assert made(["a", "b"])(loss_inputs([text], both)).loss.isnan()
    assert made(["a", "b"], combine="losses")(loss_inputs([text], both)).loss.isfinite()


def test_losses_of_teachers_that_cut_differently(text: torch.Tensor) -> None:
    first, second = states(2), states(3, length=9)
    both = {"a": first, "b": second}
    output = made(["a", "b"], combine="losses")(loss_inputs([text], both))
    ones = [made([name])(loss_inputs([text], both)).loss for name in both]
    assert_same(output.loss, (ones[0] + ones[1]) / 2, [text])
    assert sorted(output.terms) == ["a", "b"]
    with pytest.raises(TrainingError, match="combine: losses"):
        made(["a", "b"])(loss_inputs([text], both))


def test_padding_counts_for_nothing(text: torch.Tensor) -> None:
    teacher = states(2)
    noisy = torch.where(teacher.states_mask_NL[..., None] == 1, teacher.states_NLT.detach(), 1e3)
    other = TeacherRows(states_NLT=noisy, states_mask_NL=teacher.states_mask_NL)
    plain, disturbed = (made(["a"])(loss_inputs([text], {"a": one})).loss for one in (teacher, other))
    assert torch.allclose(plain, disturbed)


def test_normalise_global_and_head(text: torch.Tensor) -> None:
    teacher = states(2, width=6)
    loss = made(["a"], width=6, head="linear", normalise_global=True)
    got = loss(loss_inputs([text], {"a": teacher})).loss
    mapped = text @ loss.head.weight.T + loss.head.bias
    unit = mapped / (mapped**2).sum(1, keepdim=True).sqrt()
    assert_same(got, by_hand(unit, teacher.states_NLT, "tokens"), [text, *loss.head.parameters()])


def test_closed_form_no_information() -> None:
    """g = 0: the own token is one of 1 + (tokens of the others), all equally likely."""
    loss = made(["a"])(loss_inputs([torch.zeros(N, D, dtype=torch.float64)], {"a": states(2)})).loss
    tokens = [own - 1 for own in LENGTHS]
    want = sum(math.log(1 + sum(tokens) - own) for own in tokens) / N
    assert loss.item() == pytest.approx(want)


def test_teacher_gets_no_gradient(text: torch.Tensor) -> None:
    teacher = states(2)
    made(["a"])(loss_inputs([text], {"a": teacher})).loss.backward()
    assert teacher.states_NLT.grad is None
    assert float(text.grad.abs().max()) > 0


def test_one_sentence_costs_nothing() -> None:
    teacher = TeacherRows(states_NLT=torch.ones(1, 3, D), states_mask_NL=torch.ones(1, 3))
    assert made(["a"])(loss_inputs([torch.ones(1, D)], {"a": teacher})).loss.item() == 0


@pytest.mark.parametrize(
    ("teachers", "widths", "options", "complaint"),
    [
        (["a", "b"], [D, D], {"weights": [1.0]}, "1 weight for 2 teachers"),
        (["a", "b"], [D, 5], {}, "equally wide"),
        (["a"], [5], {}, "head: linear"),
    ],
)
def test_impossible_choices_are_faults(
    teachers: list[str], widths: list[int], options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(SuiteError, match=complaint):
        GlobalToLocal(teachers, dims=Dims(D, text=dict(zip(teachers, widths, strict=True))), **options)


def test_missing_states_are_named(text: torch.Tensor) -> None:
    with pytest.raises(TrainingError, match="teacher 'a' has no token states"):
        made(["a"])(loss_inputs([text], {"a": TeacherRows()}))
