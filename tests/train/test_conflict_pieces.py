"""Norms and cosines of a batch in pieces: those of the whole batch, those of pieces joined by hand, at no change of anything."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import pytest
import torch
from every_loss import LOSSES, encodings_of, engine, gradients, pieces_by_hand, weights

from dalr_bench import LossInputs, LossOutput
from dalr_bench.train.engine import Engine, Watch
from dalr_bench.train.objective import Objective, Term

Rows = list[dict[str, float]]
# Without dropout two views agree already: what pulls there is rounding alone.
PULLING = [label for label in LOSSES if label != "agree"]
STEADY = [label for label in PULLING if label != "towers"]  # batch normalisation divides by small differences


def logged(made: Engine) -> Rows:
    rows: Rows = []
    made.train(Watch(lambda step, steps, values: rows.append(dict(values))))
    return rows


def pulls(row: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in row.items() if name.startswith(("grad(", "cosine("))}


@pytest.mark.parametrize("size", [1, 4])
def test_the_figures_are_the_whole_batchs(size: int) -> None:
    whole, pieces = (logged(engine(PULLING, gradients_every=3, micro_batch=each)) for each in (None, size))
    count = len(PULLING) + len(PULLING) * (len(PULLING) - 1) // 2
    assert [len(pulls(row)) for row in pieces] == [count, 0, 0, count]
    for found, wanted in zip(pieces, whole, strict=True):
        assert pulls(found) == pytest.approx(pulls(wanted), rel=1e-6, abs=1e-9)
    assert all(pulls(pieces[0])[f"grad({label})"] > 1e-6 for label in PULLING)


def test_single_precision_agrees_to_a_hundred_thousandth() -> None:
    whole, pieces = (logged(engine(STEADY, single=True, gradients_every=4, micro_batch=each)) for each in (None, 3))
    assert pulls(pieces[0]) == pytest.approx(pulls(whole[0]), rel=1e-5, abs=1e-5)


def alone(label: str, labels: list[str], step: int) -> list[float]:
    """The term's gradient on the student, from pieces encoded with a graph and joined, one number after another."""
    made = engine(labels, dropout=0.3)
    made.objective = Objective([term for term in made.objective.terms if term.label == label])
    pieces_by_hand(made, step, 4)
    named = {name: grad for name, grad in gradients(made).items() if name.startswith("student.")}
    return [x for grad in named.values() if grad is not None for x in grad.flatten().tolist()]


def test_with_dropout_they_are_of_the_units_that_the_step_drops() -> None:
    labels = ["info", "intra", "agree"]
    made = engine(labels, dropout=0.3, micro_batch=4, gradients_every=1)
    with made.looks.step(0, "pairs", made.device):
        made.backward(0)
        found = {name: float(value) for name, value in made.looks.pulls.items()}
    by_hand = {label: alone(label, labels, 0) for label in labels}
    norms = {label: math.sqrt(sum(x * x for x in grad)) for label, grad in by_hand.items()}
    assert {label: found[f"grad({label})"] for label in labels} == pytest.approx(norms, rel=1e-9)
    for a, b in combinations(labels, 2):
        cosine = sum(x * y for x, y in zip(by_hand[a], by_hand[b], strict=True)) / (norms[a] * norms[b])
        assert found[f"cosine({a}, {b})"] == pytest.approx(cosine, abs=1e-9)
    other = pulls(logged(engine(labels, micro_batch=4, gradients_every=1))[0])
    assert found["grad(info)"] != pytest.approx(other["grad(info)"], rel=1e-3)


@pytest.mark.parametrize("more", [{}, {"gradient_checkpointing": True}, {"triplets": True}, {"precision": "bf16"}])
def test_looking_leaves_the_weights_equal_to_the_bit(more: dict[str, Any]) -> None:
    labels = ["info", "intra", "list"]
    looked, plain = (
        engine(labels, dropout=0.3, single=True, micro_batch=4, gradients_every=each, **more) for each in (1, 0)
    )
    rows, others = logged(looked), logged(plain)
    assert all(len(pulls(row)) == 6 for row in rows)
    assert [row["loss"] for row in rows] == [row["loss"] for row in others]
    wanted = weights(plain)
    assert all(torch.equal(value, wanted[name]) for name, value in weights(looked).items())


def test_pieces_are_encoded_no_more_often_than_without_a_look() -> None:
    made = engine(["info", "intra", "agree"], micro_batch=4, gradients_every=1)
    seen = encodings_of(made)
    with made.looks.step(0, "pairs", made.device):
        made.backward(0)
    assert len(made.looks.pulls) == 6
    assert seen == [(4, False), (4, False), (2, False), (4, True), (4, True), (2, True)]


def test_terms_that_see_other_sides_or_nothing_of_the_student() -> None:
    """One looks at pooled rows only, one at projected ones, one at states that are padded, one at nothing."""

    class States:
        needs_tokens = True

        def __call__(self, inputs: LossInputs) -> LossOutput:
            states_NVLD = inputs.encoding.states_NVLD
            assert states_NVLD is not None
            return LossOutput((torch.sigmoid(states_NVLD) * inputs.batch.tokens.mask_NL[:, None, :, None]).square().sum())

    sides = {
        "pooled": lambda inputs: LossOutput(inputs.encoding.pooled_NVD.square().mean()),
        "projected": lambda inputs: LossOutput(inputs.encoding.projected_NVD.pow(3).mean()),
        "states": States(),
        "nothing": lambda inputs: LossOutput(2 * torch.ones((), requires_grad=True)),
    }
    found = []
    for size in (None, 3):
        made = engine(["info"], micro_batch=size, gradients_every=4)
        made.objective = Objective([Term(label, loss, 1.0) for label, loss in sides.items()])
        found.append(pulls(logged(made)[0]))
    assert found[1] == pytest.approx(found[0], rel=1e-9)
    assert found[1]["grad(nothing)"] == 0
    assert set(found[1]) == {*(f"grad({label})" for label in sides), "cosine(pooled, projected)", "cosine(pooled, states)",
                             "cosine(projected, states)"}  # fmt: skip


def test_what_it_took_is_told_once_a_step() -> None:
    made = engine(["info", "intra"], micro_batch=2, gradients_every=2)
    logged(made)
    told = made.looks.account.costs()["gradients"]
    assert told["share"] == 0.5  # of four steps two
    assert (told["ms_per_step"] or 0) > 0
