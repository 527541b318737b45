"""Names that are no UTF-8 text: any disk may hold them, and where the locale is C every umlaut is one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from commanded import call
from result_samples import write

STRANGE = os.fsdecode(b"pr\xfcf")
SMALL = Path(__file__).parents[1] / "suites" / "small.yaml"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"{STRANGE}.yaml").write_bytes(SMALL.read_bytes())


def test_a_suite_of_any_name_runs_and_says_where_its_values_were_written(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, said = call(capsys, "run", f"{STRANGE}.yaml", "--executor", "inline")
    assert code == 0, said
    origins = json.loads(Path("results/small/origins.json").read_text())["origins"][0]
    assert origins["train.batch"] == r"pr\udcfcf.yaml:7:28"
    assert r"# As it was run last, all in one: pr\udcfcf.yaml" in Path("results/small/suite.yaml").read_text()
    code, out, _ = call(capsys, "explain", f"{STRANGE}.yaml", "plain")
    assert code == 0
    assert r"train.batch = 8" in out
    assert r"pr\udcfcf.yaml:7:28" in out


def test_results_where_no_weights_can_be_written_are_refused_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, said = call(capsys, "run", f"{STRANGE}.yaml", "--results", STRANGE)
    assert (code, said) == (2, "error: --results 'pr\\udcfcf': the name is not UTF-8, and weights cannot be written there\n")
    assert not Path(STRANGE).exists()


def test_tables_and_pages_are_written_under_any_name(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path(STRANGE, "pets"))
    assert call(capsys, "table", STRANGE, "--out", f"{STRANGE}.md")[0] == 0
    code, _, said = call(capsys, "report", STRANGE, "--out", f"{STRANGE}.html")
    assert code == 0, said
    assert 'href="pr%FCf/pets/DALR-one-2/' in Path(f"{STRANGE}.html").read_text()
