"""Old names of components and options: one minor version with a warning, the same run, and then a line that tells."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from dalr_bench import PluginError, Was
from dalr_bench.errors import RenamedWarning
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.suite import expand, load
from dalr_bench.types import DataPath, Part


class Student:
    def __init__(self, dim: int = 8) -> None: ...


class Lines:
    def __init__(self, path: Annotated[DataPath | None, Was("file", since="1.2")] = None) -> None: ...


class Contrast:
    def __init__(self, temperature: Annotated[float, Field(gt=0), Was("tau", since="1.2")] = 0.05) -> None:
        self.temperature = temperature


def world(version: str) -> Catalogue:
    catalogue = Catalogue()
    catalogue.add("backbone", "student", Student, "mine", version)
    catalogue.add("source", "lines", Lines, "mine", version)
    catalogue.add("loss", "contrast", Contrast, "mine", version, [Was("nce", since="1.2")])
    return catalogue


def suite(folder: Path, loss: str, source: str = "{name: lines}") -> Path:
    path = folder / "s.yaml"
    path.write_text(
        "suite: s\nbase:\n  backbone: student\n  train: {steps: 1}\n"
        f"  streams: {{text: {source}}}\n  losses:\n    info: {loss}\nablate: {{base: {{}}}}\n"
    )
    return path


def plan(path: Path, version: str) -> tuple[str, dict[str, object], list[str]]:
    """The identity of the only run, its config, and the warnings."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        made = expand(load(path), world(version))
    (run,) = made.runs
    assert all(item.category is RenamedWarning for item in told)
    return made.identities[run.id], dict(run.config), [str(item.message) for item in told]


@pytest.mark.parametrize("version", ["1.2", "1.2.9", "1.2.0rc1", "1.1", "unknown"])
def test_old_names_work_with_a_warning_and_are_the_same_run(version: str, tmp_path: Path) -> None:
    new = plan(suite(tmp_path, "{name: contrast, temperature: 0.1}"), version)
    assert new[2] == []
    old = plan(suite(tmp_path, "{name: nce, tau: 0.1}"), version)
    assert old[:2] == new[:2]
    assert len(old[2]) == 2
    assert re.search(r"s\.yaml:7:18 loss 'nce' is now called 'contrast' \(since 1\.2\); the old name goes", old[2][0])
    assert re.search(r"s\.yaml:7:28 the option 'tau' is now called 'temperature' \(since 1\.2\)", old[2][1])


def test_a_bare_old_name_is_the_component(tmp_path: Path) -> None:
    assert plan(suite(tmp_path, "nce"), "1.2")[:2] == plan(suite(tmp_path, "contrast"), "1.2")[:2]


def test_a_path_under_an_old_name_means_the_file_beside_the_suite(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("a sentence\n")
    old = plan(suite(tmp_path, "contrast", "{name: lines, file: data.txt}"), "1.2")
    new = plan(suite(tmp_path, "contrast", "{name: lines, path: data.txt}"), "1.2")
    assert old[:2] == new[:2]
    assert old[1]["streams"]["text"]["options"]["path"] == str(tmp_path / "data.txt")  # type: ignore[index]


@pytest.mark.parametrize("version", ["1.3", "1.3.0", "2.0"])
def test_a_minor_version_later_they_are_gone_and_the_line_says_what_they_are_called(
    version: str, tmp_path: Path
) -> None:
    with pytest.raises(PluginError, match=r"no loss is called 'nce'\. It is called 'contrast' since 1\.2\."):
        expand(load(suite(tmp_path, "nce")), world(version))
    with pytest.raises(Exception, match=r"no such option\. It is called 'temperature' since 1\.2\."):
        expand(load(suite(tmp_path, "{name: contrast, tau: 0.1}")), world(version))


def test_both_names_at_once_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"'contrast' has no such option\. It is called 'temperature'"):
        expand(load(suite(tmp_path, "{name: contrast, tau: 0.1, temperature: 0.1}")), world("1.2"))


def test_a_new_component_may_take_an_old_name() -> None:
    catalogue = world("1.2")
    catalogue.add("loss", "nce", Student, "other", "0.1")
    assert catalogue.modern("loss", Part("nce")) == (Part("nce", {}), [])


def test_building_takes_old_names_too() -> None:
    assert world("1.2").build("loss", Part("nce", {"tau": 0.2})).temperature == 0.2
    assert world("1.2").get("loss", "nce").name == "contrast"
    with pytest.raises(PluginError, match=r"It is called 'contrast' since 1\.2"):
        world("1.3").get("loss", "nce")
