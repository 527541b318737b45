from __future__ import annotations

import json
from typing import Annotated, Literal

import pytest
from click.testing import CliRunner
from pydantic import Field

from dalr_bench import DataPath, PluginError, TeacherText, __version__
from dalr_bench.cli.plugins import command, describe, listing, page
from dalr_bench.plugin.registry import Catalogue, Component


class Example:
    """Pulls sentences together.

    Formula: none.
    """

    def __init__(
        self,
        teacher: TeacherText,
        path: DataPath | None = None,
        temperature: Annotated[float, Field(gt=0, le=1)] = 0.05,
        reduction: Literal["mean", "sum"] = "mean",
        weights: dict[str, float] | None = None,
        lengths: list[int] = [1, 2],  # noqa: B006  # a default of the signature, as a plugin's author may write it
        *,
        device: str,
    ) -> None:
        raise AssertionError("describing a component never builds it")


class Plain:
    """Nothing to set."""


def example() -> Catalogue:
    catalogue = Catalogue()
    catalogue.add("loss", "example", Example, "some-plugin", "1.2")
    catalogue.add("teacher", "plain", Plain, "dalr-bench", "0.1.0")
    catalogue.broken["bad of other 3.0"] = "ImportError: no module named 'x'"
    return catalogue


def component(name: str) -> Component:
    return next(item for item in example() if item.name == name)


def output(*arguments: str) -> str:
    done = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_list() -> None:
    assert listing(example()) == (
        "loss     example  some-plugin 1.2   Pulls sentences together.\n"
        "teacher  plain    dalr-bench 0.1.0  Nothing to set.\n"
        "broken: bad of other 3.0: ImportError: no module named 'x'\n"
    )


def test_the_page_of_one() -> None:
    assert page(component("example")) == (
        f"loss example, from some-plugin 1.2 ({__name__}.Example)\n"
        "\n"
        "Pulls sentences together.\n"
        "\n"
        "Formula: none.\n"
        "\n"
        "  teacher: str; required; names one of the suite's teachers\n"
        "  path: str | None; default null\n"
        "  temperature: float; default 0.05; gt=0, le=1\n"
        "  reduction: 'mean' | 'sum'; default \"mean\"\n"
        "  weights: dict[str, float] | None; default null\n"
        "  lengths: list[int]; default [1, 2]\n"
        "\n"
        "Given by the harness, never written in a suite: device."
    )


def test_a_component_without_options() -> None:
    assert page(component("plain")).endswith("Nothing to set.\n\nIt has no options.")
    assert describe(component("plain"))["options"] == []


def test_every_shipped_component_has_its_page() -> None:
    data = json.loads(output("--json"))
    assert len(data["components"]) > 10
    assert data["broken"] == {}
    for item in data["components"]:
        assert item["summary"], item["name"]
        text = output(f"{item['kind']}/{item['name']}")
        assert text.startswith(f"{item['kind']} {item['name']}, from dalr-bench {__version__} (")
        for option in item["options"]:
            assert f"\n  {option['name']}: " in text


def test_the_shipped_list_has_a_line_each() -> None:
    lines = output().splitlines()
    assert len(lines) == len(json.loads(output("--json"))["components"])
    assert all(f"dalr-bench {__version__}" in line for line in lines)


def test_a_blocked_plugin_is_named_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DALR_BENCH_BLOCK", "dalr_bench_plugins")
    assert output() == "broken: dalr_bench_plugins: blocked by DALR_BENCH_BLOCK\n"
    with pytest.raises(PluginError, match="dalr_bench_plugins was set aside: blocked by DALR_BENCH_BLOCK"):
        output("infonce")


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(PluginError, match=r"no component is called 'infonec'\. Did you mean 'infonce'"):
        output("infonec")
