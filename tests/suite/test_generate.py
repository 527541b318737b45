"""Variants made of groups of losses."""

# ruff: noqa: E501 (suites and whole lines of output are compared as they are)

from __future__ import annotations

from collections.abc import Callable

import pytest

from dalr_bench import SuiteError
from dalr_bench.suite import Plan

PlanOf = Callable[..., Plan]
BASE = """\
suite: small
base:
  backbone: tiny
  streams: {text: lines}
  losses: {info: contrast, a1: contrast, a2: contrast, b: contrast, shared: contrast}
  train: {steps: 5}
groups: {A: [a1, a2, shared], B: [b, shared]}
"""


def losses(plan: Plan) -> dict[str, str]:
    runs = {run.id: run for run in plan.runs}
    return {place.variant: " ".join(runs[place.run].config["losses"]) for place in plan.cells}


def test_leave_one_out_add_one_in_and_add_up(plan_of: PlanOf) -> None:
    plan = plan_of(
        BASE + "ablate: {DALR: {train.lr: 0.1}}\ngenerate: [{name: leave-one-out, of: DALR}, add-one-in, cumulative]\n"
    )
    assert losses(plan) == {
        "DALR": "a1 a2 b info shared",
        "DALR -A": "b info shared",
        "DALR -B": "a1 a2 info shared",
        "baseline +A": "a1 a2 info shared",
        "baseline +B": "b info shared",
        "baseline +A +B": "a1 a2 b info shared",
    }
    rates = {
        place.variant: run.config["train"]["lr"] for place in plan.cells for run in plan.runs if run.id == place.run
    }
    assert rates["DALR -A"] == 0.1
    assert rates["baseline +A"] == 3e-5


def test_without_a_start_the_base_is_full(plan_of: PlanOf) -> None:
    assert list(losses(plan_of(BASE + "generate: [leave-one-out]\n"))) == ["full -A", "full -B"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("generate: [leave-one-in]\n", "x.yaml:8:12 generate.0: no generator is called 'leave-one-in'. Did you mean 'leave-one-out'? Known: add-one-in, cumulative, leave-one-out."),
        ("generate: [{name: cumulative, of: DALR}]\n", "x.yaml:8:35 generate.0.of: no variant is called 'DALR'. None is known here."),
        ("generate: [{name: cumulative, form: DALR}]\n", "x.yaml:8:31 generate.0.form: a generator has no such key. Known: name, of."),
        ("ablate: {full -A: {train.lr: 0.1}}\ngenerate: [leave-one-out]\n", "x.yaml:9:12 generate.0: generates 'full -A', and a variant of that name is there already"),
    ],
)  # fmt: skip
def test_faults(plan_of: PlanOf, text: str, line: str) -> None:
    with pytest.raises(SuiteError) as told:
        plan_of(BASE + text)
    assert str(told.value) == line


def test_an_unknown_loss_of_a_group_is_told_where_it_stands(plan_of: PlanOf) -> None:
    text = BASE.replace("B: [b, shared]", "B: [bb, shared]") + "generate: [add-one-in]\n"
    with pytest.raises(SuiteError) as told:
        plan_of(text)
    assert str(told.value) == (
        "x.yaml:7:35 groups.B.losses.bb: there is no 'bb' to delete here. Did you mean 'b'? Known: a1, a2, b, info, shared."
    )
