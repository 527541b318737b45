"""`doctor`: what it says of this machine is so, and what is broken is told with what to do about it."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner
from conformance.strangers import installed

from dalr_bench.checkup import Found, checkup
from dalr_bench.cli.doctor import command


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Found]]:
    """One look at a machine with a broken plugin, a blocked one, a folder of data that is not there and an old library."""
    installed(tmp_path / "site", "cannot_come", "import a_module_nobody_has")
    installed(tmp_path / "site", "kept_out", "raise AssertionError('was run')")
    installed(tmp_path / "site", "too_new", "raise AssertionError('was run')", ["dalr-bench>=7"])
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("DALR_BENCH_BLOCK", "Kept.Out")
    monkeypatch.setenv("DALR_BENCH_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("PATH", "")
    out: dict[str, list[Found]] = {}
    for item in checkup():
        out.setdefault(item.name, []).append(item)
    return out


def test_what_is_broken_is_told_with_its_fix(found: dict[str, list[Found]]) -> None:
    plugins = {item.what.partition(":")[0]: item for item in found["plugin"] if item.state != "ok"}
    broken = plugins["cannot_come of cannot-come 1.0"]
    assert broken.state == "broken"
    assert "a_module_nobody_has" in broken.what
    assert "DALR_BENCH_BLOCK=cannot_come" in broken.fix
    assert plugins["kept_out"].state == "note"
    assert "works with dalr-bench >=7, this is" in plugins["too_new of too-new 1.0"].what
    assert found["data"][0].state == "broken"
    assert "nowhere" in found["data"][0].what
    assert all(item.fix for items in found.values() for item in items if item.state == "broken")
    assert {item.name for items in found.values() for item in items if item.state == "broken"} == {"plugin", "data"}


def test_what_it_says_of_this_machine_is_so(found: dict[str, list[Found]]) -> None:
    assert found["torch"][0].what == version("torch")
    assert str(Path(found["cache"][0].what.partition(",")[0])).endswith("cache")
    assert found["compiler"][0].state == "note"  # PATH is empty here
    assert found["hub"][0].state == "note"
    assert "HF_HUB_OFFLINE" in found["hub"][0].what
    assert found["extra mteb"][0].state == "ok"
    assert found["torchvision"][0].state in ("ok", "note")
    assert found["models"][0].state == "ok"
    assert {"devices", "disk", "python", "dalr-bench", "extra report"} <= set(found)


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([Found("disk", "note", "little", "make room")], 0),
        ([Found("disk", "broken", "none", "make room")], 4),
        ([Found("disk", "broken", "none", "make room"), Found("plugin", "broken", "bad", "mend it")], 3),
    ],
)
def test_exit_codes_and_forms(items: list[Found], code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dalr_bench.checkup.checkup", lambda: items)
    told = CliRunner().invoke(command, [], standalone_mode=False)
    assert told.return_value == code
    assert "fix: make room" in told.stdout
    document = json.loads(CliRunner().invoke(command, ["--json"], standalone_mode=False).stdout)
    assert document["broken"] == sum(item.state == "broken" for item in items)
    assert document["found"][0] == {"name": "disk", "state": items[0].state, "what": items[0].what, "fix": "make room"}


def test_a_cache_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dalr_bench import checkup as module

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / "file" / "below"))
    (item,) = module._cache()
    assert item.state == "broken"
    assert "set DALR_BENCH_CACHE" in item.fix
