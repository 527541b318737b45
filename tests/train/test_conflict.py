"""Norms and cosines of the terms' gradients, a second time by separate backward passes, one number after another."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import torch

from dalr_bench import LossInputs, LossOutput
from dalr_bench.train.conflict import gram
from dalr_bench.train.engine import Engine, Watch
from dalr_bench.train.objective import Objective
from tests.train.test_engine import engine, quiet, spread, weights


def nearer(inputs: LossInputs) -> LossOutput:
    first, second = inputs.encoding.projected_NVD.unbind(1)
    return LossOutput((first - second).square().mean())


def farther(inputs: LossInputs) -> LossOutput:
    return LossOutput(-nearer(inputs).loss + inputs.encoding.pooled_NVD.mean())


def elsewhere(inputs: LossInputs) -> LossOutput:
    """A term that does not look at the student."""
    return LossOutput(torch.ones((), requires_grad=True) * 2)


def made(**options: object) -> Engine:
    found = engine({"nearer": nearer, "farther": farther, "elsewhere": elsewhere}, keep="last", **options)
    for term, weight in zip(found.objective.terms, (1.0, 0.25, 1.0), strict=True):
        object.__setattr__(term, "weight", weight)
    return found


def logged(found: Engine) -> list[Mapping[str, float]]:
    rows: list[Mapping[str, float]] = []
    found.train(Watch(lambda step, steps, values: rows.append(values)))
    return rows


def by_hand(step: int) -> dict[str, list[float]]:
    """The gradient of each term alone at a step, after training up to it without a look."""
    out = {}
    for name in ("nearer", "farther"):
        found = made(steps=12)
        every, found.objective = found.objective, Objective([])
        adam = torch.optim.AdamW(found.student.parameters(), lr=0.01, weight_decay=0.0)
        for before in range(step):
            found.objective = every
            adam.param_groups[0]["lr"] = 0.01 * (12 - before) / 12
            found.forward(before)[0].backward()
            torch.nn.utils.clip_grad_norm_(found.student.parameters(), 1.0)
            adam.step()
            adam.zero_grad()
        found.objective = Objective([term for term in every.terms if term.label == name])
        found.forward(step)[0].backward()
        out[name] = [value for weight in found.student.parameters() for value in weight.grad.flatten().tolist()]
    return out


@pytest.mark.parametrize("step", [0, 5])
def test_norm_and_cosine_are_those_of_separate_backward_passes(step: int) -> None:
    row = logged(made(gradients_every=5))[step]
    grads = by_hand(step)
    norms = {name: math.sqrt(sum(x * x for x in grad)) for name, grad in grads.items()}
    product = sum(x * y for x, y in zip(grads["nearer"], grads["farther"], strict=True))
    assert row["grad(nearer)"] == pytest.approx(norms["nearer"], rel=1e-4)
    assert row["grad(farther)"] == pytest.approx(norms["farther"], rel=1e-4)
    cosine = product / (norms["nearer"] * norms["farther"])
    assert row["cosine(nearer, farther)"] == pytest.approx(cosine, abs=1e-4)
    assert -1 < cosine < 0  # they do pull apart, and not only that


def test_only_the_steps_asked_for_are_looked_at() -> None:
    rows = logged(made(gradients_every=5))
    assert [i for i, row in enumerate(rows) if "grad(nearer)" in row] == [0, 5, 10]
    assert not any("grad" in name and name != "grad_norm" for row in logged(made()) for name in row)


def test_a_term_that_does_not_reach_the_student_has_no_cosine() -> None:
    row = logged(made(gradients_every=5))[0]
    assert row["grad(elsewhere)"] == 0
    assert not any("elsewhere" in name for name in row if name.startswith("cosine"))


def test_looking_leaves_the_weights_equal_to_the_bit() -> None:
    looked, plain = engine(spread(), gradients_every=1), engine(spread())
    looked.train(Watch(quiet))
    plain.train(Watch(quiet))
    assert all(torch.equal(a, b) for a, b in zip(weights(looked), weights(plain), strict=True))


def test_a_weight_that_a_term_does_not_reach_counts_as_zero() -> None:
    grads = [[torch.tensor([1.0, 2.0]), None], [None, torch.tensor([3.0])], [torch.tensor([2.0, 0.0]), torch.ones(1)]]
    assert gram(grads).tolist() == [[5, 0, 2], [0, 9, 3], [2, 3, 5]]
    assert gram([[None], [None]]).tolist() == [[0, 0], [0, 0]]
