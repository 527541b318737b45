"""Variants × axes × seeds: which cells there are, which are one run, and what runs before what."""

# ruff: noqa: E501 (suites and whole lines of output are compared as they are)

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dalr_bench import SuiteError
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.suite import Plan, Suite, expand

PlanOf = Callable[..., Plan]


def cells(plan: Plan) -> list[tuple[str, str, int]]:
    return [(place.variant, " ".join(place.axes.values()), place.seed) for place in plan.cells]


def configs(plan: Plan) -> dict[str, Any]:
    """The config of the run that fills a variant's first cell."""
    runs = {run.id: run.config for run in plan.runs}
    return {place.variant: runs[place.run] for place in reversed(plan.cells)}


def test_the_resolved_config_is_whole_and_plain_json(base: str, plan_of: PlanOf) -> None:
    (run,) = plan_of(base).runs
    assert json.loads(json.dumps(run.config)) == run.config
    assert run.config == {
        "schema": 1,
        "suite": "small",
        "variant": "base",
        "axes": {},
        "seed": 0,
        "backbone": {"name": "tiny", "options": {"dim": 8, "pooling": "cls"}},
        "streams": {"text": {"name": "lines", "options": {"path": None, "limit": None}}},
        "teachers": {},
        "losses": {"info": {"name": "contrast", "weight": 1.0, "on": None, "options": {"temperature": 0.05}}},
        "train": {
            "steps": 5, "epochs": None, "batch": 64, "last_batch": "keep", "mix": "interleave", "every": None,
            "ratio": None, "lr": 3e-5, "head_lr": None, "weight_decay": 0.0, "betas": [0.9, 0.999], "eps": 1e-8,
            "schedule": "linear", "warmup": 0.0, "clip": 1.0, "precision": "auto", "score_precision": "fp32", "dev": None, "dev_every": 125,
            "keep": "best", "log_every": 10, "micro_batch": None, "gradient_checkpointing": False,
            "account_every": 10, "gradients_every": 0, "teacher_rows": "fp32", "compile": "none",
        },
        "evaluate": [{"name": "quiz", "options": {"split": "test", "limit": 3}}],
        "needs": [],
    }  # fmt: skip
    assert run.id.startswith("base-s0-")
    assert len(run.id) == len("base-s0-") + 10


def test_diffs_nested_dotted_composed_and_deleting(base: str, plan_of: PlanOf) -> None:
    text = base + (
        "ablate:\n"
        "  plain: {}\n"
        "  +R: {losses: {rank: {name: ranking, teacher: t}}, teachers.t: {name: frozen, model: m}}\n"
        "  hot: {losses.info.temperature: 0.5, train: {lr: 0.1}}\n"
        "  both: [+R, hot, {losses.rank: {tau: 2.0}}, {teachers.t.weights: {a.b: 1.5}}]\n"
        "  only R: [both, {losses.info: null}]\n"
        "  other: {losses.info: {name: ranking, teacher: t}, teachers.t: {name: frozen, model: m}}\n"
    )
    found = configs(plan_of(text))
    assert list(found["plain"]["losses"]) == ["info"]
    assert found["+R"]["losses"]["rank"]["options"] == {"teacher": "t", "tau": 1.0, "space": None}
    assert found["hot"]["train"]["lr"] == 0.1
    assert found["both"]["losses"]["rank"]["options"]["tau"] == 2.0
    assert found["both"]["losses"]["info"]["options"] == {"temperature": 0.5}
    assert found["both"]["teachers"]["t"]["options"] == {"model": "m", "weights": {"a.b": 1.5}}
    assert list(found["only R"]["losses"]) == ["rank"]
    assert found["other"]["losses"]["info"]["options"] == {"teacher": "t", "tau": 1.0, "space": None}


def test_teachers_nothing_refers_to_are_left_out(base: str, plan_of: PlanOf) -> None:
    head = base.replace("  train:", "  teachers: {a: {name: frozen, model: a}, b: {name: frozen, model: b}, "
                        "mix: {name: mixed, of: [b]}, absent: {name: no_such_plugin}}\n  train:")  # fmt: skip
    found = configs(plan_of(head + "ablate: {plain: {}, m: {losses.r: {name: ranking, teacher: mix, weight: 0}}}\n"))
    assert found["plain"]["teachers"] == {}
    assert list(found["m"]["teachers"]) == ["b", "mix"]
    assert found["m"]["losses"]["r"]["weight"] == 0.0


def test_grid_is_a_product_and_zip_goes_together(base: str, plan_of: PlanOf) -> None:
    text = base + (
        "seeds: [3, 4]\n"
        "grid:\n"
        "  losses.info.temperature: [0.1, 0.2]\n"
        "  size: {small: {}, large: {backbone.dim: 16, train.batch: 8}}\n"
        "zip:\n"
        "  - {train.lr: [1e-3, 1e-4], train.warmup: [0.1, 0.2]}\n"
    )
    plan = plan_of(text)
    expected = list(itertools.product(["0.1", "0.2"], ["small", "large"], ["0.001 0.1", "0.0001 0.2"], [3, 4]))
    assert cells(plan) == [("base", f"{a} {b} {c}", seed) for a, b, c, seed in expected]
    assert len(plan.runs) == 16
    assert dict(plan.axes) == {
        "losses.info.temperature": ["0.1", "0.2"],
        "size": ["small", "large"],
        "train.lr": ["0.001", "0.0001"],
        "train.warmup": ["0.1", "0.2"],
    }
    last = plan.runs[-1]
    assert (last.config["backbone"]["options"]["dim"], last.config["train"]["lr"]) == (16, 1e-4)
    assert last.id.startswith("base_temperature=0.2_size=large_lr=0.0001_warmup=0.2-s4-")


def test_exclude_leaves_cells_out(base: str, plan_of: PlanOf) -> None:
    text = base + (
        "seeds: [0, 1]\nablate: {a: {}, b1: {train.steps: 6}, b2: {train.steps: 7}}\n"
        "grid: {train.lr: [0.1, 0.2]}\nexclude: [{variant: b*, train.lr: 0.1}, {variant: a, seed: 1}]\n"
    )
    assert cells(plan_of(text)) == [
        ("a", "0.1", 0), ("a", "0.2", 0), ("b1", "0.2", 0), ("b1", "0.2", 1), ("b2", "0.2", 0), ("b2", "0.2", 1),
    ]  # fmt: skip


def test_an_axis_leaves_alone_what_a_variant_lacks_and_equal_cells_are_one_run(base: str, plan_of: PlanOf) -> None:
    text = base + (
        "ablate: {plain: {}, +R: {losses.r: {name: ranking, teacher: t}, teachers.t: {name: frozen, model: m}}}\n"
        "grid: {losses.r.tau: [1.0, 2.0, 3.0]}\n"
    )
    plan = plan_of(text)
    assert [place.duplicate for place in plan.cells] == [False, True, True, False, False, False]
    assert len({place.run for place in plan.cells if place.variant == "plain"}) == 1
    assert [run.id.partition("-s0-")[0] for run in plan.runs] == ["plain", "+R_tau=1.0", "+R_tau=2.0", "+R_tau=3.0"]


GRAPH = """\
seeds: [0, 1]
support:
  first: {losses.info.temperature: 0.1}
  second: {losses.r: {name: ranking, teacher: f}, teachers.f: {name: run, variant: first, seed: 5}}
ablate:
  plain: {}
  taught: {losses.r: {name: ranking, teacher: s}, teachers.s: {name: run, variant: second}}
"""


def test_needed_runs_come_first_even_if_nobody_chose_them(
    base: str, suite_of: Callable[..., Suite], catalogue: Catalogue
) -> None:
    plan = expand(suite_of(base + GRAPH), catalogue, only=["taught"], seeds=[1])
    assert [(run.variant, run.seed) for run in plan.runs] == [("first", 5), ("second", 1), ("taught", 1)]
    first, second, taught = plan.runs
    assert (first.needs, second.needs, taught.needs) == ((), (first.id,), (second.id,))
    assert taught.config["needs"] == [{"variant": "second", "seed": 1, "run_id": second.id}]
    assert second.config["needs"] == [{"variant": "first", "seed": 5, "run_id": first.id}]
    assert cells(plan) == [("taught", "", 1)]
    assert (plan.variants, plan.support) == (("plain", "taught"), ("first", "second"))


def test_every_run_stands_after_those_it_needs_and_is_listed_once(base: str, plan_of: PlanOf) -> None:
    plan = plan_of(base + GRAPH + "grid: {train.lr: [0.1, 0.2]}\n")
    seen: set[str] = set()
    for run in plan.runs:
        assert set(run.needs) <= seen
        assert run.id not in seen
        seen.add(run.id)
    assert {place.run for place in plan.cells} <= seen
    by_id = {run.id: run for run in plan.runs}
    for run in plan.runs:
        assert all(by_id[need].axes == run.axes for need in run.needs)


def test_a_run_has_the_same_id_in_every_selection(
    base: str, suite_of: Callable[..., Suite], catalogue: Catalogue
) -> None:
    suite = suite_of(base + GRAPH + "  same as plain: [plain, {train.lr: 0.1}, {train.lr: 3e-5, train.steps: 5}]\n  long: {train.steps: 9}\n"
                     "grid: {train.weight_decay: [0.0, 0.5]}\nsmoke: {}\n", smoke=True)  # fmt: skip
    everything = expand(suite, catalogue)
    filled = {(place.variant, tuple(place.axes.items()), place.seed): place.run for place in everything.cells}
    counted = 0
    for only in ([], ["same*"], ["taught"], ["long", "plain"]):
        for seeds in ([], [1]):
            some = expand(suite, catalogue, only, seeds)
            assert {run.id for run in some.runs} <= {run.id for run in everything.runs}
            for place in some.cells:
                assert filled[place.variant, tuple(place.axes.items()), place.seed] == place.run
                counted += 1
    assert counted == (16 + 8) + (4 + 2) + (4 + 2) + (8 + 4)
    assert filled["same as plain", (("train.weight_decay", "0.5"),), 1].startswith("plain_weight_decay=0.5-s1-")


def test_selections_that_select_nothing(base: str, suite_of: Callable[..., Suite], catalogue: Catalogue) -> None:
    with pytest.raises(SuiteError) as told:
        expand(suite_of(base + GRAPH), catalogue, only=["taugt"], seeds=[7])
    assert str(told.value).splitlines() == [
        "--only: no variant matches 'taugt'. Did you mean 'taught'? Known: plain, taught.",
        "--seed: the suite has no seed 7. Known: 0, 1.",
    ]


def test_the_summary_for_tables(base: str, plan_of: PlanOf) -> None:
    plan = plan_of(
        base + "title: A table\nablate: {floor: {train.steps: 0}, plain: {}}\nexpect: {plain: {quiz.avg: 79.5}}\n"
    )
    document = plan.to_json()
    assert json.loads(json.dumps(document)) == document
    assert document == {
        "suite": "small",
        "title": "A table",
        "variants": ["floor", "plain"],
        "support": [],
        "floors": ["floor"],
        "axes": {},
        "cells": [
            {"variant": "floor", "axes": {}, "seed": 0, "run_id": plan.runs[0].id},
            {"variant": "plain", "axes": {}, "seed": 0, "run_id": plan.runs[1].id},
        ],
        "expect": {"plain": {"quiz.avg": 79.5}},
        "contributions": [],
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    temperatures=st.lists(st.integers(1, 9), min_size=2, max_size=4, unique=True),
    rates=st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3, unique=True),
)
def test_the_grid_is_the_product(
    base: str, plan_of: PlanOf, temperatures: list[int], rates: list[int], seeds: list[int]
) -> None:
    text = (
        base
        + f"seeds: {seeds}\ngrid: {{losses.info.temperature: {[t / 10 for t in temperatures]}, train.lr: {[r / 100 for r in rates]}}}\n"
    )
    plan = plan_of(text)
    found = [(r.config["losses"]["info"]["options"]["temperature"], r.config["train"]["lr"], r.seed) for r in plan.runs]
    assert found == [(t / 10, r / 100, seed) for t in temperatures for r in rates for seed in seeds]
    assert len(set(plan.identities.values())) == len(plan.runs)
