"""Which pairs of variants differ by one component."""

from __future__ import annotations

from collections.abc import Callable

from dalr_bench.suite import Plan

PlanOf = Callable[..., Plan]
BASE = """\
suite: small
base:
  backbone: tiny
  streams: {text: lines}
  losses: {info: contrast, a: contrast, b: contrast, shared: contrast}
  train: {steps: 5}
"""


def found(plan: Plan) -> list[tuple[str, str, str, str]]:
    return [(each.kind, each.component, each.variant, each.without) for each in plan.contributions]


def test_lists_of_diffs(plan_of: PlanOf) -> None:
    text = "ablate: {floor: {train.steps: 0}, plain: {}, +A: {train.lr: 0.1}, +B: {train.batch: 8}, both: [+A, +B]}\n"
    plan = plan_of(BASE + text)
    assert found(plan) == [
        ("leave-one-out", "+A", "both", "+B"),
        ("leave-one-out", "+B", "both", "+A"),
        ("add-one-in", "+A", "+A", "plain"),
        ("add-one-in", "+B", "+B", "plain"),
    ]
    assert plan.to_json()["contributions"][0] == {
        "component": "+A", "kind": "leave-one-out", "with": "both", "without": "+B",
    }  # fmt: skip


def test_a_middle_step_is_neither(plan_of: PlanOf) -> None:
    text = (
        "ablate: {plain: {}, +A: {train.lr: 0.1}, +B: {train.batch: 8}, +C: {train.warmup: 0.5}, "
        "ab: [+A, +B], abc: [ab, +C]}\n"
    )
    assert found(plan_of(BASE + text)) == [
        ("leave-one-out", "+C", "abc", "ab"),
        ("add-one-in", "+A", "+A", "plain"),
        ("add-one-in", "+B", "+B", "plain"),
        ("add-one-in", "+C", "+C", "plain"),
    ]


def test_groups_of_losses(plan_of: PlanOf) -> None:
    text = (
        "groups: {A: [a, shared], B: [b, shared]}\n"
        "ablate: {whole: {}, fast: {train.lr: 0.1}, bare: {losses: {a: null, b: null, shared: null}}}\n"
        "generate: [{name: leave-one-out, of: whole}]\n"
    )
    assert found(plan_of(BASE + text)) == [
        ("leave-one-out", "A", "whole", "whole -A"),
        ("leave-one-out", "B", "whole", "whole -B"),
        ("add-one-in", "A", "whole -B", "bare"),
        ("add-one-in", "B", "whole -A", "bare"),
    ]


def test_half_a_group_is_no_component(plan_of: PlanOf) -> None:
    text = (
        "groups: {A: [a, shared], B: [b]}\n"
        "ablate: {whole: {}, half: {losses.a: null}}\n"
        "generate: [{name: leave-one-out, of: whole}]\n"
    )
    assert "half" not in [name for each in found(plan_of(BASE + text)) for name in each]


def test_variants_that_stand_alone_are_no_parts(plan_of: PlanOf) -> None:
    assert found(plan_of(BASE + "ablate: {plain: {}, other: {train.lr: 0.1}}\n")) == []
