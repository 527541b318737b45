"""What a suite reads from outside: components say it, paths say it, missing data stops nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dalr_bench import DataPath, PluginError, Requirement, SuiteError
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.suite import load
from dalr_bench.suite.outside import Wanted, outside


class Model:
    def __init__(self, model: str, pickles: bool = False) -> None: ...

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        return [Requirement("model", options["model"], "ask", ("*.bin",) if options["pickles"] else ("*.json",))]


class Broken:
    def __init__(self) -> None: ...

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        return [Requirement("model", options["nothing of the kind"])]


class Files:
    def __init__(self, path: DataPath, more: list[DataPath] | None = None, said: DataPath | None = None) -> None: ...

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        return [Requirement("features", options["said"], "the authors give it")] if options["said"] else []


@pytest.fixture
def plan(tmp_path: Path, catalogue: Catalogue) -> Callable[..., list[Wanted]]:
    for name, teacher in (("model", Model), ("broken", Broken)):
        catalogue.add("teacher", name, teacher, "fake", "1")
    catalogue.add("source", "files", Files, "fake", "1")

    def read(text: str, only: tuple[str, ...] = (), smoke: bool = False) -> list[Wanted]:
        (tmp_path / "suite.yaml").write_text(text)
        return outside(load(tmp_path / "suite.yaml", (), smoke), catalogue, only)

    return read


BASE = """\
suite: small
base:
  backbone: tiny
  streams: {text: {name: files, path: a.txt, more: [b.txt, there.txt], said: c.h5}}
  teachers:
    one: {name: model, model: org/one}
    two: {name: model, model: org/two}
  losses: {info: contrast, rank: {name: ranking, teacher: one}}
  train: {steps: 5}
  evaluate: [quiz]
ablate:
  first: {}
  second: {losses.rank.teacher: two}
  third: {teachers.one: {name: model, model: org/one, pickles: true}}
smoke:
  base: {streams: {text: {path: there.txt, more: null, said: null}}}
"""


def test_everything_is_listed_once_with_who_asks(plan: Callable[..., list[Wanted]], tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text("x")
    found = {item.requirement.name: item for item in plan(BASE)}
    assert list(found) == [
        *(str(tmp_path / name) for name in ("c.h5", "a.txt", "b.txt", "there.txt")),
        "org/one",
        "org/two",
    ]
    assert found["org/one"].by == ("teachers.one",)
    assert found["org/one"].requirement.patterns == ("*.json", "*.bin")  # of both variants
    assert (found[str(tmp_path / "c.h5")].requirement.kind, found[str(tmp_path / "c.h5")].requirement.how) == (
        "features",
        "the authors give it",
    )
    assert found[str(tmp_path / "a.txt")].requirement.kind == "data"
    assert "looked for" in found[str(tmp_path / "a.txt")].looked
    assert found[str(tmp_path / "there.txt")].looked == ""


def test_only_what_the_chosen_runs_need(plan: Callable[..., list[Wanted]]) -> None:
    names = [item.requirement.name for item in plan(BASE, ("second",)) if item.requirement.kind == "model"]
    assert names == ["org/two"]  # a teacher nothing refers to is not needed
    assert [item.requirement.patterns for item in plan(BASE, ("third",)) if item.requirement.kind == "model"] == [
        ("*.bin",)
    ]


def test_the_smoke_overlay_counts(plan: Callable[..., list[Wanted]], tmp_path: Path) -> None:
    paths = [item.requirement.name for item in plan(BASE, smoke=True) if item.requirement.kind != "model"]
    assert paths == [str(tmp_path / "there.txt")]


def test_other_faults_stay_faults(plan: Callable[..., list[Wanted]]) -> None:
    with pytest.raises(SuiteError, match="no teacher is called"):
        plan(BASE.replace("teacher: one", "teacher: on"))
    with pytest.raises(SuiteError, match="no variant matches 'nobody'"):
        plan(BASE, ("nobody",))
    with pytest.raises(PluginError, match="teacher 'broken': its `requires` failed: KeyError"):
        plan(BASE.replace("{name: model, model: org/two}", "broken"))
