"""A world of small components, and a way to write suites down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from dalr_bench import DataPath, Requirement, SpaceName, TeacherName, TeacherText, VariantName
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.suite import Plan, Suite, expand, load


class Student:
    def __init__(self, dim: Annotated[int, Field(ge=1)] = 8, pooling: Literal["cls", "mean"] = "cls") -> None: ...


class Lines:
    def __init__(self, path: DataPath | None = None, limit: int | None = None) -> None: ...


class Contrast:
    def __init__(self, temperature: Annotated[float, Field(gt=0)] = 0.05) -> None: ...


class Ranking:
    def __init__(self, teacher: TeacherText, tau: float = 1.0, space: SpaceName | None = None) -> None: ...


class Frozen:
    def __init__(self, model: str, weights: dict[str, float] | None = None) -> None: ...


class OtherRun:
    def __init__(self, variant: VariantName, seed: int | None = None, *, trained: object) -> None: ...


class Mixed:
    def __init__(self, of: list[TeacherName]) -> None: ...


class Quiz:
    def __init__(self, split: Literal["train", "dev", "test"] = "test", limit: int = 3) -> None: ...


class Exam:
    """Reads two folders, either of which is enough to score on."""

    def __init__(self, folder: str = "exam") -> None: ...

    @staticmethod
    def requires(options: Mapping[str, Any]) -> list[Requirement]:
        return [Requirement("data", f"{options['folder']}/{part}", "ask the school") for part in ("oral", "written")]


class DevQuiz:
    def __init__(self, split: Literal["train", "dev", "test"] = "dev", limit: int = 3) -> None: ...


def small_catalogue(version: str = "1.0") -> Catalogue:
    """Real classes, registered as a plugin's would be."""
    found = Catalogue()
    found.add("backbone", "tiny", Student, "fake", version)
    found.add("source", "lines", Lines, "fake", version)
    for name, loss in (("contrast", Contrast), ("ranking", Ranking)):
        found.add("loss", name, loss, "fake", version)
    for name, teacher in (("frozen", Frozen), ("run", OtherRun), ("mixed", Mixed)):
        found.add("teacher", name, teacher, "fake", version)
    for name, evaluator in (("quiz", Quiz), ("dev_quiz", DevQuiz), ("exam", Exam)):
        found.add("evaluator", name, evaluator, "fake", version)
    return found


BASE = """\
suite: small
base:
  backbone: tiny
  streams: {text: lines}
  losses: {info: contrast}
  train: {steps: 5}
  evaluate: [quiz]
"""


@pytest.fixture
def catalogue() -> Catalogue:
    return small_catalogue()


@pytest.fixture
def versioned() -> Callable[[str], Catalogue]:
    """The same components, as another version of their distribution has them."""
    return small_catalogue


@pytest.fixture
def base() -> str:
    """The head of a suite that has a name and a sound base, to be continued."""
    return BASE


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a file of the current folder; the path is relative, as a user types it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DALR_BENCH_DATA", raising=False)

    def written(content: str, name: str = "x.yaml") -> Path:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(content, encoding="utf-8")
        return Path(name)

    return written


@pytest.fixture
def suite_of(write: Callable[..., Path]) -> Callable[..., Suite]:
    """The suite a text is."""

    def read(content: str, *overrides: str, smoke: bool = False) -> Suite:
        return load(write(content), overrides, smoke)

    return read


@pytest.fixture
def plan_of(suite_of: Callable[..., Suite], catalogue: Catalogue) -> Callable[..., Plan]:
    """The plan a text comes to."""

    def planned(content: str, *overrides: str, smoke: bool = False) -> Plan:
        return expand(suite_of(content, *overrides, smoke=smoke), catalogue)

    return planned
