from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from result_samples import PROTOCOL, records, scores, write

from dalr_bench.cli.table import command
from dalr_bench.errors import DataError, SuiteError
from dalr_bench.record.events import tell_event
from dalr_bench.record.lease import take
from dalr_bench.record.record import Record
from dalr_bench.record.store import finish
from dalr_bench.table.terminal import styles

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


@pytest.mark.parametrize("ending", ["md", "tex", "html", "csv", "json", "typ"])
def test_the_format_goes_by_the_files_ending_where_none_is_named(results: Path, ending: str) -> None:
    out = results / f"t.{ending}"
    output(results, "--baseline", "baseline", "--out", out)
    assert out.read_bytes() == (GOLDEN / f"table.{ending}").read_bytes()
    output(results, "--baseline", "baseline", "--out", out, "--format", "terminal")
    assert out.read_bytes() == (GOLDEN / "table.txt").read_bytes()


@pytest.mark.parametrize(("name", "there", "shown"), [("xterm", True, True), ("dumb", True, False), ("xterm", False, False)])
def test_only_a_terminal_that_can_is_given_styles(monkeypatch: pytest.MonkeyPatch, name: str, there: bool, shown: bool) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return there

    monkeypatch.setenv("TERM", name)
    assert styles(Stream()) is shown


def test_the_terminal_is_the_default(results: Path) -> None:
    assert output(results) == output(results, "--format", "terminal")


def test_a_run_that_began_says_how_it_stands(results: Path) -> None:
    """Seed 1 of a row that was not run: at work, then with a holder that is gone, then asked to leave."""
    run = results / "+CML-two-1"
    run.mkdir()
    lease = take(run)
    assert lease is not None
    assert "running: a process is at it (seed 1)" in output(results)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (file,) = run.glob("lease-*.json")
    who = json.loads(file.read_text())
    file.write_text(json.dumps({**who, "pid": gone.pid}))
    assert "not run (seeds 0, 2); stale: its process is gone, `run` goes on with it (seed 1)" in output(results)
    file.write_text(json.dumps(who))
    lease.release()
    tell_event(run, "interrupted")
    assert "interrupted: it was asked to leave, `run` goes on with it (seed 1)" in output(results)


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


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("std", "71.00 ±1.00", "sample standard deviation over seeds"),
        ("sem", "71.00 ±0.58", "standard error over seeds"),  # 1/√3
        ("ci", "71.00 ±2.48", "half of a 95 % t-interval over seeds"),  # 4.303/√3
    ],
)
def test_the_spread_by_choice(results: Path, kind: str, text: str, words: str) -> None:
    page = output(results, "--spread", kind)
    assert text in page
    assert words in page
    cell = json.loads(output(results, "--spread", kind, "--format", "json"))["rows"][1]["cells"]["STS12"]
    assert cell["std"] == 1.0
    assert cell[kind] == float(text.rpartition("±")[2])
    assert f"STS12 {kind}" in output(results, "--spread", kind, "--format", "csv").splitlines()[0]


def test_deltas_have_the_same_spread(results: Path) -> None:
    assert "Δ+2.00 ±2.48 (n=3)" in output(results, "--spread", "ci", "--baseline", "baseline")


def test_costs_are_told_beside_significance_and_are_not_tested(results: Path) -> None:
    """Of a term as well as of a run: a cost is no score that a test could look up."""
    for path in results.glob("*/record.json"):
        record = json.loads(path.read_text())
        path.write_text(json.dumps({**record, "costs": {"losses.info": {"ms_per_step": 3.0 + record["seed"]}}}))
    asked = ("--cost", "--tasks", "STS12", "--format", "json")
    plain, tested = (json.loads(output(results, *asked, *more)) for more in ((), ("--significance",)))
    assert any("info" in column for column in tested["columns"])

    def means(found: dict[str, Any]) -> list[dict[str, object]]:
        return [{name: cell and cell["mean"] for name, cell in row["cells"].items()} for row in found["rows"]]

    assert means(tested) == means(plain)


def test_significance_by_seeds_where_there_are_no_predictions(results: Path) -> None:
    """Best is DALR (73, 74). Two pairs each: +CML 1, 2 (t 3, p .20), baseline 3, 3 and the floor 23, 24 (t 47, p .014).

    Baseline's pairs differ by the same, so nothing can be tested. Holm over two: .027 and .20.
    """

    def bold(*level: str) -> set[str]:
        rows = json.loads(output(results, "--tasks", "STS12", "--format", "json", "--significance", *level))["rows"]
        return {row["name"] for row in rows if row["group"] == "teacher: one" and row["cells"]["STS12"]["best"]}

    assert bold() == {"DALR", "+CML", "baseline"}
    assert bold("0.3") == {"DALR", "baseline"}
    assert bold("0.02") == {"DALR", "+CML", "baseline", "floor"}
    assert "not shown to differ from it (paired test, p ≥ 0.05" in output(results, "--significance")


def test_contributions_have_no_columns_of_another_table(results: Path) -> None:
    for asked in (["--cost"], ["--gap"], ["--significance"], ["--reported", "sts"], ["--baseline", "baseline"]):
        with pytest.raises(SuiteError, match=f"leave out {asked[0]}"):
            output(results, "--contributions", *asked)


def test_contributions_are_a_table(results: Path) -> None:
    page = output(results, "--contributions", "--tasks", "STS12")
    assert "teacher: one, put in alone" in page
    assert "+2.00 ±2.48" in page
    assert "[b] +CML − baseline" in page


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
        (["--significance", "nan"], click.BadParameter, "is not a number that can be used"),
        (["--baseline", "base"], SuiteError, "no row is called that"),
        (["--template", "absent.j2"], DataError, "the template cannot be read"),
        (["--reported", "absent.csv"], DataError, "cannot be read as CSV"),
    ],
)
def test_a_users_fault_is_one_line(results: Path, arguments: list[str], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        command.main([str(results), *arguments], standalone_mode=False)
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


def test_ten_thousand_records_in_three_seconds_and_a_gibibyte(tmp_path: Path) -> None:
    """The whole command, start and reading included, as processor time: the machine may be shared.

    The peak is that of the new program alone: ru_maxrss would count the test process it was forked from.
    """
    for i in range(10_000):
        record = Record(f"r{i}", "s", f"v{i % 100}", i // 100, scores=scores(50 + i % 37))
        (tmp_path / record.run_id).mkdir()
        (tmp_path / record.run_id / "record.json").write_text(json.dumps(record.to_json()))
    code = f"""
import resource
from dalr_bench.cli.table import command
command([{str(tmp_path)!r}, "--baseline", "v0", "--out", {str(tmp_path / "t.txt")!r}], standalone_mode=False)
used = resource.getrusage(resource.RUSAGE_SELF)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(used.ru_utime + used.ru_stime, peak.split()[1])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, kibibytes = map(float, done.stdout.split())
    print(f"table: {seconds:.1f} s of processor, {kibibytes / 1024:.0f} MiB")
    assert (tmp_path / "t.txt").read_text().count("±") > 100
    assert seconds < 3
    assert kibibytes < 1024**2
