"""Discovery: strangers enter as we do, a broken one is set aside and named, and stops nothing that does not use it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dalr_bench.cli.main import main
from dalr_bench.plugin.manager import load
from tests.plugins.executors.strangers import install

GOOD = '''
import torch
from dalr_bench import hookimpl

class Constant:
    """Rows of ones. Source: this test."""
    def __init__(self, width: int = 2) -> None:
        self.width = width
    def encode_text(self, sentences):
        return torch.ones(len(sentences), self.width)

@hookimpl
def register_teachers(register):
    register("constant", Constant)
'''
BROKEN = {
    "import_error": ("import a_module_nobody_has", "ModuleNotFoundError: No module named 'a_module_nobody_has'"),
    "leaves": ("raise SystemExit(7)", "SystemExit: 7"),
    "syntax": ("def broken(:", "SyntaxError"),
    "bad_hook": ("from dalr_bench import hookimpl\n@hookimpl\ndef register_losses(wrong):\n    pass", "wrong"),
    "unknown_hook": (
        "from dalr_bench import hookimpl\n@hookimpl\ndef register_lossess(register):\n    pass",
        "register_lossess",
    ),
    "clash": (
        GOOD.replace("register_teachers", "register_losses").replace('"constant"', '"infonce"'),
        "loss 'infonce' is already registered by dalr-bench",
    ),
    "late": (
        GOOD + "\n\n@hookimpl\ndef register_losses(register):\n    raise ValueError('late')\n",
        "ValueError: late",
    ),
}
TINY = Path(__file__).parents[1] / "suites" / "tiny.yaml"


def test_a_stranger_enters_by_the_same_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "good_stranger", GOOD, monkeypatch)
    plugins = load()
    found = plugins.catalogue.get("teacher", "constant")
    assert (found.distribution, found.version) == ("good-stranger", "1.0")
    ours = plugins.catalogue.get("teacher", "blend")
    assert ours.distribution == "dalr-bench"
    assert plugins.hooks.has_plugin("good_stranger")
    assert plugins.hooks.has_plugin("dalr_bench_plugins")


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_stranger_is_set_aside_and_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, reason = BROKEN[name]
    install(tmp_path / "bad", f"stranger_{name}", code, monkeypatch)
    before = {(item.kind, item.name) for item in load().catalogue}
    plugins = load()
    assert list(plugins.catalogue.broken) == [f"stranger_{name} of stranger-{name.replace('_', '-')} 1.0"]
    assert reason in next(iter(plugins.catalogue.broken.values()))
    assert {(item.kind, item.name) for item in plugins.catalogue} == before
    assert ("loss", "infonce") in before
    assert ("teacher", "constant") not in before
    assert not plugins.hooks.has_plugin(f"stranger_{name}")


def test_a_broken_stranger_stops_only_who_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path / "bad", "stranger_import", BROKEN["import_error"][0], monkeypatch)
    with pytest.raises(SystemExit) as fine:
        main(["plan", str(TINY)])
    assert fine.value.code in (0, None)
    capsys.readouterr()
    (tmp_path / "asks.yaml").write_text(
        f"extends: {TINY}\nsuite: asks\nbase:\n  teachers: {{text: {{name: strange}}}}\n"
    )
    with pytest.raises(SystemExit) as left:
        main(["run", str(tmp_path / "asks.yaml"), "--results", str(tmp_path / "results")])
    err = capsys.readouterr().err
    assert left.value.code == 3
    assert "no teacher is called 'strange'" in err
    assert "stranger_import of stranger-import 1.0 (ModuleNotFoundError" in err
    assert "Traceback" not in err
    assert not (tmp_path / "results").exists()


def test_blocked_plugins_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "blocked_stranger", f"import os\nos.environ['RAN'] = '1'\n{GOOD}", monkeypatch)
    monkeypatch.setenv("DALR_BENCH_BLOCK", "blocked_stranger, other")
    assert "blocked_stranger" in load().catalogue.broken
    assert "RAN" not in os.environ
    assert "blocked_stranger" not in sys.modules
