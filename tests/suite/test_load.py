"""Files, what they extend, and overlays: merging keeps values and their origins."""

# ruff: noqa: E501 (suites and whole lines of output are compared as they are)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dalr_bench import SuiteError
from dalr_bench.suite import Plan, Suite, load
from dalr_bench.suite.tree import Mark, Node, find, merge, plain

Write = Callable[..., Path]
AT = Mark("x", 1, 1)


def node(value: Any) -> Node:
    if isinstance(value, dict):
        return Node({key: node(item) for key, item in value.items()}, AT)
    if isinstance(value, list):
        return Node([node(item) for item in value], AT)
    return Node(value, AT)


def test_a_suite_extends_another_one_deeply(write: Write) -> None:
    write("suite: a\nseeds: [0, 1]\nbase:\n  train: {steps: 5, lr: 1e-4}\n  losses: {info: contrast}\n", "lib/a.yaml")
    path = write("extends: lib/a.yaml\nsuite: b\nseeds: [7]\nbase:\n  train: {lr: null, batch: 4}\n", "b.yaml")
    suite = load(path)
    assert suite.name == "b"
    assert plain(suite.tree) == {
        "suite": "b",
        "seeds": [7],
        "base": {"train": {"steps": 5, "batch": 4}, "losses": {"info": "contrast"}},
    }
    assert find(suite.tree, ["base", "train", "steps"]).at == Mark("lib/a.yaml", 4, 18)
    assert find(suite.tree, ["base", "train", "batch"]).at == Mark("b.yaml", 5, 28)


def test_extending_merges_options_and_replaces_another_component(write: Write) -> None:
    write("suite: a\nbase:\n  losses:\n    info: {name: contrast, temperature: 0.1}\n    rank: contrast\n", "a.yaml")
    child = "extends: a.yaml\nsuite: b\nbase:\n  losses:\n    info: {%s}\n    rank: {temperature: 0.2}\n"
    same = load(write(child % "weight: 2", "b.yaml")).tree
    assert plain(find(same, ["base", "losses"])) == {
        "info": {"name": "contrast", "temperature": 0.1, "weight": 2},
        "rank": {"name": "contrast", "temperature": 0.2},
    }
    other = load(write(child % "name: ranking, teacher: t", "b.yaml")).tree
    assert plain(find(other, ["base", "losses", "info"])) == {"name": "ranking", "teacher": "t"}


def test_variants_merge_and_axes_are_replaced_whole(write: Write) -> None:
    write("suite: a\nablate: {x: {train.steps: 1, train.batch: 4}, y: {}}\ngrid: {g: {a: {}, b: {}}}\n", "a.yaml")
    child = "extends: a.yaml\nsuite: b\nablate: {x: {train.steps: 2}, y: null}\ngrid: {g: {c: {}}}\n"
    tree = load(write(child, "b.yaml")).tree
    assert plain(tree.entries["ablate"]) == {"x": {"train.steps": 2, "train.batch": 4}}
    assert plain(tree.entries["grid"]) == {"g": {"c": {}}}


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({"x.yaml": "extends: y.yaml\n", "y.yaml": "extends: x.yaml\n"}, "y.yaml:1:10 extends: 'x.yaml' extends itself, in the end; a suite can only extend another one"),
        ({"x.yaml": "suite: a\nextends: no/y.yaml\n"}, "x.yaml:2:10 extends: there is no file 'no/y.yaml'"),
        ({"x.yaml": "extends: .\n"}, "x.yaml:1:10 extends: '.' cannot be read: Is a directory"),
        ({"x.yaml": 'extends: "a\\0b"\n'}, "x.yaml:1:10 extends: 'a\\x00b' cannot be read: embedded null byte"),
        ({"x.yaml": "[1]\n"}, "x.yaml:1:1: a suite is a map (`suite: NAME`, `base: ...`)"),
        ({}, "x.yaml: there is no such file"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read(write: Write, files: dict[str, str], line: str) -> None:
    write("", "other")
    for name, content in files.items():
        write(content, name)
    with pytest.raises(SuiteError) as told:
        load("x.yaml")
    assert str(told.value) == line


def test_smoke_lies_over_the_whole_document(base: str, plan_of: Callable[..., Plan]) -> None:
    text = base + "seeds: [0, 1]\nablate: {plain: {}}\nsmoke: {seeds: [9], base: {train: {steps: 2}}}\n"
    assert [(run.seed, run.config["train"]["steps"]) for run in plan_of(text).runs] == [(0, 5), (1, 5)]
    assert [(run.seed, run.config["train"]["steps"]) for run in plan_of(text, smoke=True).runs] == [(9, 2)]


def test_set_reaches_the_base_the_document_and_names_with_dots(
    base: str, suite_of: Callable[..., Suite], plan_of: Callable[..., Plan]
) -> None:
    text = base + "ablate: {plain: {}, 'τ 0.1': {losses.info.temperature: 0.1}}\n"
    plan = plan_of(
        text, "train.steps=7", "ablate.τ 0.1.losses.info.temperature=0.3", "seeds=[4]", "losses.info.weight=2.5"
    )
    assert [(run.seed, run.config["train"]["steps"]) for run in plan.runs] == [(4, 7), (4, 7)]
    assert plan.runs[1].config["losses"]["info"] == {
        "name": "contrast",
        "weight": 2.5,
        "on": None,
        "options": {"temperature": 0.3},
    }
    suite = suite_of(text, "base.train.batch=8")
    assert str(find(suite.tree, ["base", "train", "batch"]).at) == "--set"


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("train.stepz=3", "--set train.stepz: there is no such key here. Did you mean 'steps'?"),
        ("trian.steps=3", "--set trian.steps: no such place in a suite. Did you mean 'train'?"),
        ("train.steps", "--set: 'train.steps' is not PATH=VALUE, e.g. train.steps=100"),
        ("train.steps=[1", "--set train.steps: this is not YAML"),
        ("train.steps=a", "--set train.steps: Input should be a valid integer, got 'a'"),
    ],
)
def test_set_is_checked(base: str, plan_of: Callable[..., Plan], override: str, line: str) -> None:
    with pytest.raises(SuiteError) as told:
        plan_of(base, override)
    assert str(told.value).startswith(line)


LEAVES = st.integers(0, 3) | st.lists(st.integers(0, 2), max_size=2)
MAPS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), LEAVES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), LEAVES | inner, max_size=3),
    max_leaves=8,
)


def paths(value: Any, at: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Leaves by path: the second way to say what a merge does."""
    if not isinstance(value, dict):
        return {at: value}
    return {key: leaf for name, inner in value.items() for key, leaf in paths(inner, (*at, name)).items()}


def value_at(tree: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path; None where nothing does."""
    for name in path:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


@example({"a": 0}, {"a": {"a": {}}})
@given(MAPS, MAPS)
def test_merging_keeps_what_the_patch_says_and_what_it_leaves_alone(old: dict[str, Any], patch: dict[str, Any]) -> None:
    before = node(old)
    merged = plain(merge(before, node(patch)))
    assert plain(before) == old
    leaves = paths(merged)
    assert paths(patch).items() <= leaves.items()
    for path, leaf in paths(old).items():
        touched = any(path[: len(new)] == new or new[: len(path)] == path for new in paths(patch))
        touched = touched or any(find(node(patch), list(path[:n])).value == {} for n in range(1, len(path) + 1))
        # A map where a leaf was replaces it, even one that holds nothing but empty maps.
        touched = touched or isinstance(value_at(patch, path), dict)
        assert touched or leaves[path] == leaf
    assert plain(merge(node(merged), node(patch))) == merged


@given(MAPS)
def test_null_deletes(old: dict[str, Any]) -> None:
    assert plain(merge(node(old), node(dict.fromkeys(old)))) == {}
