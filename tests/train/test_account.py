"""Costs by part: a slow term is found slow, a large one large, and the weights never notice."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import _get_current_dispatch_mode

from dalr_bench import Encoding, JointSpace, LossInputs, LossOutput, TrainingError
from dalr_bench.train.account import REST, Account, Mark, intervals
from dalr_bench.train.engine import Trained, Watch
from tests.train.test_engine import Spread, engine, quiet, spread, weights

CPU = torch.device("cpu")
Terms = dict[str, Callable[[LossInputs], LossOutput]]


class Sleep(torch.autograd.Function):
    """Identity that takes 10 ms forward and 20 ms backward."""

    @staticmethod
    def forward(ctx: Any, given: Tensor) -> Tensor:
        time.sleep(0.01)
        return given.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        time.sleep(0.02)
        return grad


def slow(inputs: LossInputs) -> LossOutput:
    return LossOutput(Sleep.apply(inputs.encoding.pooled_NVD).square().mean())


def wide(inputs: LossInputs) -> LossOutput:
    """Keeps 6 x 2 x 8 x 5000 numbers for its backward pass."""
    return LossOutput((inputs.encoding.pooled_NVD[..., None] * torch.ones(5000)).exp().mean())


def plain(inputs: LossInputs) -> LossOutput:
    return LossOutput(inputs.encoding.projected_NVD.square().mean())


def trained(terms: Terms, **options: object) -> Trained:
    made = engine({**terms}, **{"keep": "last", "account_every": 1, **options})
    return made.train(Watch(quiet))


def test_a_slow_term_bears_its_own_forward_and_backward() -> None:
    costs = trained({"first": plain, "slow": slow, "last": plain}).costs
    slowness = costs["losses.slow"]
    assert (slowness["forward_ms"] or 0) >= 10
    assert (slowness["backward_ms"] or 0) >= 20
    for other in ("student", "losses.first", "losses.last", "batch", "optimizer"):
        assert 0 < (costs[other]["ms_per_step"] or 0) < 15, other  # medians: they take a fraction of one
    parts = sum(cost["ms_per_step"] or 0 for name, cost in costs.items() if name != "step")
    assert parts == pytest.approx(costs["step"]["ms_per_step"] or 0, rel=0.3)


def test_memory_is_what_a_term_keeps() -> None:
    costs = trained({"first": plain, "wide": wide}).costs
    numbers = 6 * 2 * 8 * 5000 * 4
    # The product and its exponential live at once; backward makes the gradients of both.
    assert 2 * numbers <= (costs["losses.wide"]["peak_bytes"] or 0) < 3 * numbers
    assert (costs["losses.first"]["peak_bytes"] or 0) < numbers / 50
    assert (costs["student"]["peak_bytes"] or 0) < numbers / 50
    assert 2 * numbers <= (costs["step"]["peak_bytes"] or 0) < 4 * numbers


def test_in_pieces_a_term_bears_the_whole_batch_and_the_student_two_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three pieces of two rows; a term on projected rows comes before one on pooled rows, whose gradient is ready first."""
    made = engine({"first": plain, "slow": slow, "wide": wide}, keep="last", account_every=1, micro_batch=2)
    inner = made.student.encode

    def encode(*given: Any, **named: Any) -> Encoding:
        found: Encoding = inner(*given, **named)
        return Encoding(Sleep.apply(found.pooled_NVD), found.projected_NVD)

    monkeypatch.setattr(made.student, "encode", encode)
    costs = made.train(Watch(quiet)).costs
    assert (costs["student"]["forward_ms"] or 0) >= 3 * 10  # without a graph
    assert (costs["student"]["backward_ms"] or 0) >= 3 * (10 + 20)  # again with one, and back
    assert (costs["losses.slow"]["forward_ms"] or 0) >= 10
    assert (costs["losses.slow"]["backward_ms"] or 0) >= 20
    for other in ("losses.first", "losses.wide", "batch", "optimizer", "rest"):
        assert 0 <= (costs[other]["ms_per_step"] or 0) < 25, other
    numbers = 6 * 2 * 8 * 5000 * 4
    assert 2 * numbers <= (costs["losses.wide"]["peak_bytes"] or 0) < 3 * numbers
    assert (costs["student"]["peak_bytes"] or 0) < numbers / 50
    assert "exchange" not in costs  # there is nobody to pass anything to


def test_in_pieces_the_weights_are_equal_to_the_bit_too() -> None:
    watched, unwatched = (engine(spread(), account_every=each, micro_batch=2) for each in (1, 0))
    watched.train(Watch(quiet)), unwatched.train(Watch(quiet))
    assert all(torch.equal(a, b) for a, b in zip(weights(watched), weights(unwatched), strict=True))


def test_a_joint_space_is_a_part_of_its_own() -> None:
    class Owner:
        def space(self, inputs: LossInputs) -> JointSpace:
            rows = Sleep.apply(inputs.encoding.pooled_NVD)
            return JointSpace(rows, rows[:, 0])

        def project_text(self, pooled_ND: Tensor) -> Tensor:
            return pooled_ND

        def project_image(self, rows_NE: Tensor) -> Tensor:
            return rows_NE

        __call__ = staticmethod(plain)

    made = engine({"owner": Owner(), "user": lambda inputs: LossOutput(inputs.spaces["owner"].text_NVE.mean())},
                  keep="last", account_every=1)  # fmt: skip
    term = made.objective.terms[1]
    object.__setattr__(term, "uses", ("owner",))
    costs = made.train(Watch(quiet)).costs
    assert (costs["spaces"]["forward_ms"] or 0) >= 10
    assert (costs["spaces"]["backward_ms"] or 0) >= 20
    assert (costs["losses.user"]["ms_per_step"] or 0) < 15
    assert (costs["losses.owner"]["ms_per_step"] or 0) < 15


def test_with_and_without_the_weights_are_equal_to_the_bit() -> None:
    watched, unwatched = engine(spread(), account_every=1), engine(spread(), account_every=0)
    assert watched.train(Watch(quiet)).costs
    assert unwatched.train(Watch(quiet)).costs == {}
    assert all(torch.equal(a, b) for a, b in zip(weights(watched), weights(unwatched), strict=True))


def test_steps_are_chosen_by_stream_and_shares_add_up() -> None:
    account = Account(every=2)
    watched = []
    for number in range(12):
        stream = "pairs" if number % 3 == 0 else "text"
        with account.step(stream, CPU):
            watched.append(bool(account._read))
            account.lap("student")
            if stream == "pairs":
                account.lap("losses.pair")
            time.sleep(0.001)
            account.lap("optimizer")
    # text: the second is weighed, the third and fifth and seventh are timed; pairs: the second, the third.
    assert [i for i, each in enumerate(watched) if each] == [2, 3, 4, 6, 7, 10]
    costs = account.costs()
    assert costs["student"]["share"] == 1
    assert costs["losses.pair"]["share"] == pytest.approx(4 / 12)
    assert (costs["optimizer"]["ms_per_step"] or 0) >= 1


def test_what_was_never_watched_is_unknown_and_not_zero() -> None:
    account = Account(every=10)
    for stream in ("text", "text", "text", "pairs"):
        with account.step(stream, CPU):
            account.lap("student")
    assert account.costs()["student"]["ms_per_step"] is None
    with account.aside("gradients", CPU):
        time.sleep(0.004)
    assert (account.costs()["gradients"]["ms_per_step"] or 0) >= 1
    assert account.costs()["gradients"]["peak_bytes"] is None


def test_a_step_that_fails_leaves_nothing_switched_on() -> None:
    def failing(inputs: LossInputs) -> LossOutput:
        if inputs.step in (1, 2):
            raise TrainingError("no")
        return plain(inputs)

    for steps in (2, 3):
        made = engine({"failing": failing}, account_every=1)
        for step in range(steps):
            try:
                with made.looks.step(step, "text", CPU):
                    made.forward(step)
            except TrainingError:
                assert step in (1, 2)
        assert _get_current_dispatch_mode() is None
        assert made.looks.account._read is None


def test_intervals_belong_to_whoever_ends_or_has_begun() -> None:
    marks = [Mark(None, REST, 0), Mark("a", None, 1), Mark("b", None, 3), Mark(None, "b", 4), Mark(None, "a", 6),
             Mark(None, REST, 9), Mark("c", None, 13)]  # fmt: skip
    found = [(part, way, after.reading - before.reading) for part, way, before, after in intervals(marks)]
    assert found == [("a", 0, 1), ("b", 0, 2), (REST, 1, 1), ("b", 1, 2), ("a", 1, 3), ("c", 0, 4)]
    assert sum(each for _, _, each in found) == sum(b.reading - a.reading for a, b in pairwise(marks))


def test_a_loss_without_a_gradient_is_still_an_entry() -> None:
    def fixed(inputs: LossInputs) -> LossOutput:
        return LossOutput(torch.ones(()))

    torch.manual_seed(0)
    costs = trained({"fixed": fixed, "spread": Spread()}).costs
    assert (costs["losses.fixed"]["forward_ms"] or 0) > 0
    assert costs["losses.fixed"]["backward_ms"] == 0
