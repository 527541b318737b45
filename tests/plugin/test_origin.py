"""Where plugins come from, told without running them; ranges and blocks that keep one out before it is imported."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from conformance.strangers import installed

from dalr_bench.cli.plugins import command
from dalr_bench.plugin.manager import load
from dalr_bench.plugin.origin import origins, plain

LEAVES_A_MARK = "import os\nos.environ['STRANGER_RAN'] = '1'\n"


@pytest.fixture(autouse=True)
def _no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRANGER_RAN", raising=False)


def stranger(folder: Path, patch: pytest.MonkeyPatch, *requires: str, name: str = "some_stranger") -> None:
    installed(folder, name, LEAVES_A_MARK, requires)
    patch.syspath_prepend(str(folder))
    patch.setitem(sys.modules, name, None)
    del sys.modules[name]


def test_the_list_of_origins_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger(tmp_path, monkeypatch, "dalr-bench>=0.1,<0.2")
    text = CliRunner().invoke(command, ["--origin"], catch_exceptions=False).stdout
    data = json.loads(CliRunner().invoke(command, ["--origin", "--json"], catch_exceptions=False).stdout)
    assert "STRANGER_RAN" not in os.environ
    assert "some_stranger  some-stranger 1.0  not loaded" in text
    found = next(item for item in data["plugins"] if item["name"] == "some_stranger")
    assert found["home"] == str(tmp_path)
    assert found["requires"] == "<0.2,>=0.1"
    assert found["distribution"] == "some-stranger"
    assert data["plugins"][0]["name"] == "dalr_bench_plugins"
    load()
    assert os.environ.pop("STRANGER_RAN") == "1"


@pytest.mark.parametrize(
    ("requires", "loaded"),
    [
        ("dalr-bench", True),
        ("dalr-bench>=0.1,<0.2", True),
        ("DALR.Bench~=0.1.0", True),
        ("dalr-bench>=0.2", False),
        ("dalr-bench<0.1", False),
        ("numpy>=99", True),
    ],
)
def test_a_plugin_for_another_version_is_set_aside_before_it_runs(
    requires: str, loaded: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger(tmp_path, monkeypatch, requires)
    broken = load().catalogue.broken
    assert ("STRANGER_RAN" in os.environ) == loaded
    os.environ.pop("STRANGER_RAN", None)
    if loaded:
        assert broken == {}
    else:
        (reason,) = broken.values()
        assert reason.startswith("works with dalr-bench ")
        assert "this is 0.1.0: install a some-stranger for it" in reason


@pytest.mark.parametrize("names", ["some_stranger", "some-stranger", "Some.Stranger", "x, some-stranger ,y", "*"])
def test_blocked_by_entry_point_by_distribution_or_as_a_stranger(
    names: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger(tmp_path, monkeypatch, "dalr-bench>=0.1,<0.2")
    monkeypatch.setenv("DALR_BENCH_BLOCK", names)
    catalogue = load().catalogue
    assert "STRANGER_RAN" not in os.environ
    assert catalogue.broken == {"some_stranger": "blocked by DALR_BENCH_BLOCK"}
    assert ("loss", "infonce") in catalogue.components
    assert "some_stranger  some-stranger 1.0  blocked" in CliRunner().invoke(command, ["--origin"]).stdout


def test_names_compare_as_packaging_compares_them() -> None:
    assert plain("Some_Strange..Name") == "some-strange-name"
    assert [origin.name for origin in origins()] == ["dalr_bench_plugins"]
