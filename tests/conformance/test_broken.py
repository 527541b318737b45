"""Deliberately broken plugins: each is caught under the contract it breaks and no other, and none stops a suite."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.strangers import installed
from dalr_bench.cli.main import main
from dalr_bench.cli.plugins import command
from dalr_bench.conformance.contracts import CONTRACTS
from dalr_bench.errors import SuiteError
from dalr_bench.plugin.manager import load

BROKEN = Path(__file__).parent / "broken"
TINY = Path(__file__).parents[1] / "suites" / "tiny.yaml"
# The contract, a word of what is said, a word of the input that is named.
CAUGHT: dict[str, dict[str, tuple[str, str]]] = {
    "wrong_rows": {"teacher.finite": ("(1, 2) for 3 sentences", "the same again")},
    "wrong_order": {"teacher.order": ("asked one by one, not as all at once: row", "asked one by one")},
    "not_a_number": {"teacher.finite": ("row 0 of its rows is not finite", "an empty sentence")},
    "trains_the_teacher": {"teacher.frozen": ("its weight '0.weight' is another one afterwards", "gradients enabled")},
    "works_at_import": {"plugin.idle": ("uses torch", "")},
    "import_error": {"plugin.import": ("No module named 'a_module_nobody_has'", "")},
    "clashing_name": {"plugin.names": ("loss 'infonce' is already registered by dalr-bench", "")},
    "undeclared_need": {"loss.needs": ("KeyError: 'clip'", "no teacher")},
    "unknown_option_type": {"options.closed": ("loss 'unknown_option_type'", "")},
    "leaks_random": {"loss.repeats": ("the global random state of torch", "6 sentences")},
    "leaks_device": {"loss.device": ("device cpu", "on the meta device")},
    "hangs": {"time.bounded": ("teacher.rows was still running after", "")},
    # The same families once more.
    "dies": {"teacher.rows": ("the process died (exit code 7", "")},
    "hangs_at_import": {"time.bounded": ("plugin.import was still running after", "")},
    "asks_the_device": {"loss.questions": ("item()", "on the meta device")},
    "forgets": {
        "loss.repeats": ("equal inputs gave", "6 sentences"),
        "loss.saved": ("what it learnt is not all saved", "three steps"),
    },
    "writes_into_inputs": {"loss.teachers": ("it changed the student's rows in place", "6 sentences")},
    "undocumented": {"options.documented": ("says nothing of scale", "")},
    "undeclared_package": {"plugin.packages": ("'pytest' (pytest)", "")},
}
TWELVE = list(CAUGHT)[:12]


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strangers")
    for path in sorted(BROKEN.glob("*.py")):
        installed(folder, path.stem, path.read_text())
    return folder


@pytest.fixture(scope="module")
def verdicts(strangers: Path) -> dict[str, dict[str, tuple[str, str]]]:
    """What one call of `plugins check` says of all of them: {plugin: {contract: (what, input)}}."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(strangers))
        patch.setenv("PYTHONPATH", str(strangers))
        done = CliRunner().invoke(command, ["check", *CAUGHT, "--limit", "20", "--json"], standalone_mode=False)
    assert done.return_value == 3, done.output
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for verdict in json.loads(done.stdout)["verdicts"]:
        name = verdict["subject"].partition(" of ")[0].partition("/")[2] or verdict["subject"].partition(" of ")[0]
        broken = [item for item in verdict["findings"] if item["state"] == "broken"]
        assert all(item["promise"] == CONTRACTS[item["contract"]] for item in broken)
        found.setdefault(name, {}).update({item["contract"]: (item["what"], item["input"]) for item in broken})
    return found


def test_there_are_twelve_and_more() -> None:
    assert len(TWELVE) == 12
    assert sorted(path.stem for path in BROKEN.glob("*.py")) == sorted(CAUGHT)


@pytest.mark.parametrize("name", sorted(CAUGHT))
def test_each_is_caught_by_its_contract_and_no_other(
    name: str, verdicts: dict[str, dict[str, tuple[str, str]]]
) -> None:
    assert sorted(verdicts[name]) == sorted(CAUGHT[name]), verdicts[name]
    for contract, (what, tried) in CAUGHT[name].items():
        assert what in verdicts[name][contract][0]
        assert tried in verdicts[name][contract][1]


def test_all_the_work_at_import_is_named(verdicts: dict[str, dict[str, tuple[str, str]]]) -> None:
    told = verdicts["works_at_import"]["plugin.idle"][0]
    assert "uses torch" in told
    assert "starts thread 'idler'" in told
    assert "opens a file" in told


def test_none_stops_a_suite_that_does_not_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "strangers"
    for name in CAUGHT:
        if name != "hangs_at_import":
            installed(folder, name, (BROKEN / f"{name}.py").read_text())
    monkeypatch.syspath_prepend(str(folder))
    line = ["run", str(TINY), "--results", str(tmp_path), "--executor", "inline", "--only", "untrained", "--smoke"]
    try:
        with pytest.raises(SystemExit) as left:
            main([*line, "--device", "cpu"])
        told = capsys.readouterr()
        assert left.value.code in (0, None), told.err
        assert "untrained" in told.out
        aside = {name.partition(" of ")[0] for name in load().catalogue.broken}
        assert aside == {"import_error", "clashing_name", "unknown_option_type"}
    finally:
        for name in CAUGHT:
            sys.modules.pop(name, None)


def test_an_import_without_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, "hangs_at_import", (BROKEN / "hangs_at_import.py").read_text())
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("DALR_BENCH_IMPORT_LIMIT", "0.2")
    catalogue = load().catalogue
    reason = catalogue.broken["hangs_at_import of hangs-at-import 1.0"]
    assert reason == "TooLong: its import did not end within 0.2 s"
    assert ("loss", "infonce") in catalogue.components
    monkeypatch.setenv("DALR_BENCH_IMPORT_LIMIT", "soon")
    with pytest.raises(SuiteError, match="DALR_BENCH_IMPORT_LIMIT soon: expected seconds"):
        load()
