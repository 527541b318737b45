"""Whole pages against golden files; strangers' words against every format. DALR_BENCH_GOLDEN=write renews the files."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from result_samples import records, summary

from dalr_bench.errors import SuiteError
from dalr_bench.record.record import Record
from dalr_bench.record.summary import Place, Summary
from dalr_bench.table.build import build
from dalr_bench.table.model import Request, Table
from dalr_bench.table.render import FORMATS, render, render_template
from dalr_bench.table.terminal import terminal
from dalr_bench.types import Score

GOLDEN = Path(__file__).parent / "golden"
SUFFIX = {"terminal": "txt", "markdown": "md", "latex": "tex", "typst": "typ"}
SUFFIX |= {"html": "html", "csv": "csv", "json": "json"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    r"\input{/etc/passwd}",
    r"\immediate\write18{touch pwned}",
    "{{ 7*191 }}{% for x in y %}",
    "x] & y \\\\ \\hline $ % # _ ^ ~",
    "[link](javascript:alert(1))",
    '#eval("1+1") ") + panic("',
    "=cmd|' /C calc'!A0",
    "[*]+x",
    "[red]rich[/red]",
    "汉字 e\u0301 \u202eabc \x1b[31m\nnew\u2028line|pipe",
    "'' `ls` ?` !` -- ---",
)


def sample(**request: object) -> Table:
    return build(summary(), records(), Request(**request))  # type: ignore[arg-type]


def page(table: Table, name: str) -> str:
    return terminal(table) if name == "terminal" else render(table, name)


def hostile() -> Table:
    """Every hostile word as suite, title, variant, axis, task, protocol, error and source at once."""
    cells, made, expect = [], {}, {}
    for seed, word in enumerate(HOSTILE):
        good, bad = f"good{seed}", f"bad{seed}"
        cells += [Place(word, 0, good, {word: word}), Place(word, 1, bad, {word: word})]
        made[good] = Record(good, word, word, 0, scores=[Score(word, "m", 0.5, 1, protocol=word)])
        made[bad] = Record(bad, word, word, 1, status="failed", error=word)
        expect[word] = {f"{word}.m": 50.0, "source": word}
    text = " ".join(HOSTILE)
    layout = Summary(suite=text, title=text, variants=HOSTILE, cells=cells, expect=expect)
    return build(layout, made, Request(baseline=HOSTILE[0]))


@pytest.mark.parametrize("name", FORMATS)
def test_the_whole_page(name: str) -> None:
    text = page(sample(baseline="baseline"), name)
    golden = GOLDEN / f"table.{SUFFIX[name]}"
    if os.environ.get("DALR_BENCH_GOLDEN") == "write":
        golden.write_bytes(text.encode())
    assert text == golden.read_bytes().decode()


def test_every_format_has_a_template() -> None:
    templates = {path.stem for path in (Path(render.__code__.co_filename).parent / "templates").glob("*.j2")}
    assert templates == set(FORMATS) - {"terminal"} == set(SUFFIX) - {"terminal"}


def test_json_is_the_contract() -> None:
    data = json.loads(render(sample(), "json"))
    assert data["columns"] == ["STS12", "Avg"]
    assert {row["kind"] for row in data["rows"]} == {"measured", "reported"}
    ours = next(row for row in data["rows"] if row["name"] == "+CML" and row["group"] == "teacher: one")
    assert set(data) >= {"title", "columns", "rows"}
    assert ours["cells"]["STS12"] == {
        "mean": 73.0, "std": 1.73, "n": 3, "of": 3, "best": False, "second": True, "delta": None, "note": None,
    }  # fmt: skip
    missing = next(row for row in data["rows"] if row["name"] == "+CML" and row["group"] == "teacher: two")
    assert missing["cells"] == {"STS12": None, "Avg": None}


def test_csv_reads_back_as_numbers() -> None:
    rows = list(csv.DictReader(io.StringIO(render(sample(baseline="baseline"), "csv"))))
    ours = next(row for row in rows if row["row"] == "DALR" and row["group"] == "teacher: one")
    assert (ours["STS12"], ours["STS12 std"], ours["STS12 n"]) == ("73.5", "0.71", "2")
    assert (ours["STS12 delta"], ours["STS12 delta n"]) == ("3.0", "2")
    assert ours["note"] == "failed: the loss is NaN (seed 2)"
    assert next(row for row in rows if row["row"] == "floor")["kind"] == "floor"


# ------------------------------------------------------------------ strangers' words
class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_stays_text() -> None:
    usual, strange = _Tags(), _Tags()
    usual.feed(render(sample(baseline="baseline"), "html"))
    strange.feed(render(hostile(), "html"))
    assert strange.tags <= usual.tags
    assert strange.attributes <= usual.attributes
    assert "<script>alert(1)</script>" in strange.text


def test_jinja_in_names_is_not_run() -> None:
    for name in FORMATS:
        assert "1337" not in page(hostile(), name), name


def test_markdown_stays_one_table() -> None:
    text = render(hostile(), "markdown")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    bars = {line.replace(r"\|", "").count("|") for line in lines}
    assert bars == {len(hostile().columns) + 3}
    assert "<script" not in text
    assert "<img" not in text
    assert not re.search(r"(?<!\\)\]\(", text)


def test_latex_holds_no_command_of_a_stranger() -> None:
    text = render(hostile(), "latex")
    body = text[text.index(r"\begin{table}") :]
    assert r"\input" not in body
    assert r"\write" not in body
    assert r"\immediate" not in body
    assert all(ord(c) < 128 for c in body.replace("é", ""))


def test_typst_strings_stay_closed() -> None:
    text = re.sub(r"<tab:[a-zA-Z0-9-]*>", "", render(hostile(), "typst"))
    outside, inside, skip = "", False, False
    for c in text:
        if skip:
            skip = False
        elif inside and c == "\\":
            skip = True
        elif c == '"':
            inside = not inside
        elif not inside:
            outside += c
    assert not inside
    assert "panic" not in outside
    assert "eval" not in outside


def test_csv_runs_no_formula() -> None:
    rows = list(csv.reader(io.StringIO(render(hostile(), "csv"))))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert not [field for row in rows for field in row if field[:1] in ("=", "@")]
    assert any(row[1] == "'=cmd|' /C calc'!A0" for row in rows)
    assert any(row[1] == "+CML" for row in csv.reader(io.StringIO(render(sample(), "csv"))))


def test_json_keeps_the_words() -> None:
    names = [row["name"] for row in json.loads(render(hostile(), "json"))["rows"]]
    assert set(names) >= {word for word in HOSTILE if word.isascii()}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (Debian: texlive-latex-recommended)")
@pytest.mark.slow
@pytest.mark.parametrize("which", ["sample", "hostile", "wide"])
def test_latex_compiles_alone_and_inside_a_paper(which: str, tmp_path: Path) -> None:
    table = {"sample": sample(baseline="baseline"), "hostile": hostile(), "wide": sample(cost=True)}[which]
    (tmp_path / "t.tex").write_text(render(table, "latex"), encoding="utf-8")
    packages = r"\usepackage[T1]{fontenc}\usepackage{textcomp,booktabs,multirow}"
    paper = rf"\documentclass{{article}}{packages}\begin{{document}}\input{{t}}x\end{{document}}"
    (tmp_path / "paper.tex").write_text(paper, encoding="utf-8")
    for name in ("t.tex", "paper.tex"):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
        assert done.returncode == 0, done.stdout[-2000:]
    assert not (tmp_path / "pwned").exists()


# ------------------------------------------------------------------ a user's own template
def test_a_template_of_ones_own() -> None:
    text = render_template(sample(), "{% for row in data.rows %}{{ row.name | latex }};{% endfor %}", "mine.j2")
    assert text == "floor;baseline;+CML;DALR;floor;baseline;+CML;DALR;DALR;\n"
    assert render_template(hostile(), "{{ table.title }}", "x", html=True).startswith("&lt;script&gt;")


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("ok\n{{ nothing }}", 2),
        ("{{ table.nothing }}", 1),
        ("{% for x in %}", 1),
        ("\n\n{{ ().__class__.__base__.__subclasses__() }}", 3),
        ("{{ table.columns.append(1) }}", 1),
        ("{% include '/etc/passwd' %}", 1),
        ("{% import 'json.j2' as x %}", 1),
        ("{{ self.__init__.__globals__ }}", 1),
        ("{{ range(10**9) | list }}", 1),
        ("{{ 1 // 0 }}", 1),
        ("{{ '{0.__class__}'.format(table) }}{{ cycler.__init__ }}", 1),
        ("{{ table | json | int + 'x' }}", 1),
    ],
)
def test_a_template_that_errs_or_escapes_is_told_its_line(source: str, line: int) -> None:
    with pytest.raises(SuiteError) as caught:
        render_template(sample(), source, "mine.j2")
    fault = caught.value.faults[0]
    assert (fault.file, fault.line) == ("mine.j2", line)
    assert "\n" not in str(fault)


def test_a_template_cannot_fill_the_disk() -> None:
    source = "{% for a in range(9999) %}{% for b in range(9999) %}xxxxxxxxxx{% endfor %}{% endfor %}"
    with pytest.raises(SuiteError, match="writes more than"):
        render_template(sample(), source, "mine.j2")


# ------------------------------------------------------------------ the terminal
def test_a_narrow_terminal_continues_below() -> None:
    wide, narrow = terminal(sample()), terminal(sample(), width=46)
    assert wide.count("floor [floor]") == 2
    assert narrow.count("floor [floor]") == 4
    table = narrow[: narrow.index("Scores")]
    assert max(map(len, table.splitlines())) <= 46
    for number in ("73.00' ±1.73", "73.50* ±0.71 (2/3)", "71.50* ±1.00"):
        assert number in wide
        assert number in narrow


def test_too_narrow_a_terminal_hides_nothing() -> None:
    assert "73.50* ±0.71 (2/3) [a]" in terminal(sample(), width=20)


def test_styles_only_where_asked() -> None:
    assert "\x1b" not in terminal(hostile())
    styled = terminal(sample(), width=100, styled=True)
    assert "\x1b[1m73.50\x1b[0m" in styled
    assert "*" not in styled.partition("Scores")[0]


def test_names_are_no_markup() -> None:
    table = sample()
    group = table.groups[0]
    rows = [replace(group.rows[0], name="[bold]x[/bold]")]
    assert "[bold]x[/bold]" in terminal(replace(table, groups=[replace(group, rows=rows)]))
