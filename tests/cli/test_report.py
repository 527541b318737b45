from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from report_samples import write_trained

from dalr_bench.cli.main import main
from dalr_bench.cli.report import command
from dalr_bench.errors import DataError, SuiteError
from dalr_bench.record.results import read_results
from dalr_bench.report.build import build_report
from dalr_bench.report.sections import sections
from dalr_bench.table.model import Request


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write_trained(tmp_path / "results" / "pets")


def call(*arguments: str | Path) -> str:
    done = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_page_and_its_pictures(results: Path, tmp_path: Path) -> None:
    page, figures = tmp_path / "pages" / "report.html", tmp_path / "figures"
    told = call(results, "--out", page, "--figures", figures)
    assert told == f"wrote {page}\nwrote 18 pictures to {figures}\n"
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "Pets &amp; friends" in text
    assert 500_000 < len(text) < 3_000_000
    assert "../results/pets/floor/record.json" in text


def test_a_run_that_watched_its_gradients_and_costs_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From training to the page: the log's cosines and the record's costs are what the charts read."""
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / "cache"))
    tiny = Path(__file__).parents[1] / "suites" / "tiny.yaml"
    words = ["--results", str(tmp_path), "--only", "baseline", "--seed", "0", "--executor", "inline", "--device", "cpu"]
    more = ["--set", "train.gradients_every=2", "--set", "train.account_every=1"]
    with pytest.raises(SystemExit) as left:
        main(["run", str(tiny), *words, *more])
    assert left.value.code == 0
    results = read_results(tmp_path / "tiny")
    report = build_report(results, Request())
    assert report.data["conflicts"].distinct("pair") == ["cosine(grounding, info)"]
    drawn = report.data["conflicts"].records()
    (run,) = {row["run"] for row in drawn}
    log = [json.loads(line) for line in (results.folder / run / "steps.jsonl").read_text().splitlines()]
    assert [row["value"] for row in drawn] == pytest.approx(
        [line["cosine(grounding, info)"] for line in log if "cosine(grounding, info)" in line], rel=1e-3
    )
    assert len(drawn) == 2
    costs = results.records[run].extra["costs"]
    drawn_parts = {row["part"]: row["ms"] for row in report.data["steps"].records()}
    for part, ms in drawn_parts.items():
        assert ms == pytest.approx((costs.get(part) or costs[f"losses.{part}"])["ms_per_step"], rel=1e-3)
    assert {"student", "info", "grounding"} <= set(drawn_parts)
    figures = {figure.name for section in sections(report) for figure in section.figures}
    assert {"agreement", "step", "cost", "memory"} <= figures


def test_columns_and_baseline_are_chosen(results: Path, tmp_path: Path) -> None:
    call(results, "--out", tmp_path / "r.html", "--tasks", "STS12", "--baseline", "floor")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "mean difference to floor" in text
    assert 'data-sort="0"' in text
    assert 'data-sort="1"' not in text


def test_faults_are_told(results: Path, tmp_path: Path) -> None:
    nothing = CliRunner().invoke(command, [str(results)])
    assert nothing.exit_code == 2
    assert "--out FILE.html, --figures DIR" in nothing.output
    with pytest.raises(SuiteError, match="Did you mean 'baseline'"):
        call(results, "--out", tmp_path / "r.html", "--baseline", "basline")
    with pytest.raises(DataError, match="no such results folder"):
        call(tmp_path / "nowhere", "--out", tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(
    ("gone", "named"), [("altair", "altair"), ("vl_convert", "vl-convert-python")], ids=["altair", "vl_convert"]
)
def test_without_the_extra_one_line_says_what_to_do(results: Path, tmp_path: Path, gone: str, named: str) -> None:
    code = f"import sys\nsys.modules[{gone!r}] = None\nfrom dalr_bench.cli.main import main\nmain(sys.argv[1:])"
    words = [sys.executable, "-c", code, "report", str(results), "--out", str(tmp_path / "r.html")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert done.stderr == f"error: the report needs {named}: pip install 'dalr-bench[report]'\n"
    assert not (tmp_path / "r.html").exists()


def test_help_loads_no_plotting_library() -> None:
    code = (
        "import sys\nfrom dalr_bench.cli.main import main\ntry:\n    main(['report', '--help'])\n"
        "except SystemExit:\n    pass\n"
        "print('HEAVY', sorted({'altair', 'vl_convert', 'torch', 'numpy'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "HEAVY []" in out
    assert "Examples" in out
