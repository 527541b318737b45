from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from result_samples import PROTOCOL, records, scores, write

from dalr_bench.cli.table import command
from dalr_bench.errors import DataError, SuiteError, UserError
from dalr_bench.record.store import finish

GOLDEN = Path(__file__).parent.parent / "table" / "golden"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write(tmp_path / "results" / "pets")


def output(*arguments: str | Path) -> str:
    done = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("terminal", "table.txt"),
        ("markdown", "table.md"),
        ("latex", "table.tex"),
        ("html", "table.html"),
        ("csv", "table.csv"),
        ("json", "table.json"),
        ("typst", "table.typ"),
    ],
)
def test_from_files_to_a_page(results: Path, name: str, file: str) -> None:
    golden = (GOLDEN / file).read_bytes().decode()
    assert output(results, "--format", name, "--baseline", "baseline") == golden
    assert output(results.parent, "--format", name, "--baseline", "baseline", "--out", results / "t") == ""
    assert (results / "t").read_bytes().decode() == golden


def test_the_terminal_is_the_default(results: Path) -> None:
    assert output(results) == output(results, "--format", "terminal")


def test_columns_and_cost(results: Path) -> None:
    data = json.loads(output(results, "--format", "json", "--tasks", "STS12", "--tasks", "STS12/*", "--cost"))
    assert data["columns"] == ["STS12", "STS12/MSRpar", "seconds"]


def test_published_rows_from_a_file(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    path.write_text("row,task,metric,value,source\nSimCSE,STS12,spearman,68.4,its paper\n")
    rows = json.loads(output(results, "--format", "json", "--reported", path))["rows"]
    assert (rows[-1]["name"], rows[-1]["kind"], rows[-1]["cells"]["STS12"]["mean"]) == ("SimCSE", "reported", 68.4)


def test_the_gap_is_told(results: Path) -> None:
    text = output(results, "--gap", "--tasks", "STS")
    assert "74.00* ±0.71 (2/3) Δ-5.50 ±0.71 (n=2) [a]" in text
    assert "Δ: difference to the published number, ± the sample standard deviation over seeds." in text


def test_mixed_protocols_are_refused_unless_told(results: Path) -> None:
    record = records()["DALR-one-0"]
    finish(results / record.run_id, replace(record, scores=scores(73, PROTOCOL.replace("=all", "=mean"))))
    with pytest.raises(SuiteError, match="--mix-protocols"):
        output(results)
    assert "aggregation=mean; sts13=without SMT (rows DALR)" in output(results, "--mix-protocols")


def test_a_damaged_record_is_a_footnote(results: Path) -> None:
    (results / "+CML-one-1" / "record.json").write_text('{"schema": 1, "run_id"')
    text = output(results)
    assert "damaged: record.json is damaged or half-written at line 1, column 23" in text
    assert "(2/3)" in text


def test_a_template_of_ones_own(results: Path, tmp_path: Path) -> None:
    (tmp_path / "own.html.j2").write_text("{{ table.title }}: {{ data.columns | join(', ') }}")
    assert output(results, "--template", tmp_path / "own.html.j2") == "Pets &amp; friends: STS12, Avg\n"


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (["--format", "latx"], SuiteError, "no format is called that. Did you mean 'latex'"),
        (["--format", "../../../etc/passwd"], SuiteError, "no format is called that"),
        (["--tasks", "STS21"], SuiteError, "Did you mean 'STS12'"),
        (["--baseline", "base"], SuiteError, "no row is called that"),
        (["--template", "absent.j2"], DataError, "the template cannot be read"),
        (["--reported", "absent.csv"], DataError, "cannot be read as CSV"),
    ],
)
def test_a_users_fault_is_one_line(results: Path, arguments: list[str], kind: type[UserError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        output(results, *arguments)
    assert "\n" not in str(caught.value)


def test_a_fault_writes_no_file(results: Path, tmp_path: Path) -> None:
    with pytest.raises(SuiteError):
        output(results, "--tasks", "absent", "--out", tmp_path / "t.tex")
    assert not (tmp_path / "t.tex").exists()


def test_no_heavy_library_is_imported(results: Path) -> None:
    code = f"""
import sys
from dalr_bench.cli.table import command
before = set(sys.modules)
command([{str(results)!r}, "--format", "latex", "--out", {str(results / "t.tex")!r}], standalone_mode=False)
print([name for name in ("torch", "pandas", "numpy", "scipy", "transformers") if name in sys.modules])
print([name for name in ("jinja2", "rich") if name in before])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]
