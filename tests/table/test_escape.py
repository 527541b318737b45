from __future__ import annotations

import csv
import io
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalr_bench.table import escape

words = st.text(max_size=30)


@pytest.mark.parametrize(
    ("text", "set_as"),
    [
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("50% & $5_a^b~", r"50\% \& \$5\_a\textasciicircum{}b\textasciitilde{}"),
        ("[x] *", "{[}x{]} {*}"),
        ("±1 × Δ → – …", r"\ensuremath{\pm}1 \ensuremath{\times} \ensuremath{\Delta} \ensuremath{\to} -- \dots{}"),
        ("é Ł", "é Ł"),
        ("a\n\tb", "a b"),
        ("ℌ①", "H1"),
        ("汉", "U+6C49"),
        ("﹛", r"\{"),
        (12, "12"),
    ],
)
def test_latex(text: object, set_as: str) -> None:
    assert escape.latex(text) == set_as


@given(words)
def test_latex_has_only_its_own_commands(text: str) -> None:
    out = escape.latex(text)
    for own in sorted(escape._LATEX.values(), key=len, reverse=True):
        out = out.replace(own, "") if "\\" in own else out
    assert "\\" not in out
    assert not set(out) & set("$&#%_^~")


@given(words)
def test_markdown_escapes_every_mark(text: str) -> None:
    out = escape.markdown(text)
    plain = "".join(c for i, c in enumerate(out) if not (c in escape._MARKDOWN and i and out[i - 1] == "\\"))
    assert not set(plain.replace("\\", "")) & set("`*_{}[]#|~!$<>\n")


@given(words)
def test_typst_is_one_closed_string(text: str) -> None:
    assert json.loads(escape.typst(text)) == text


@given(st.lists(words.filter(lambda text: "\x00" not in text), min_size=2, max_size=4))
def test_csv_reads_back(values: list[str]) -> None:
    line = escape.csv_line(values)
    (found,) = list(csv.reader(io.StringIO(line, newline="")))
    assert [cell.removeprefix("'") for cell in found] == [value.removeprefix("'") for value in values]
    assert not [cell for cell in found if cell[:1] in ("=", "@", "\t")]


def test_csv_leaves_names_and_numbers_alone() -> None:
    assert escape.csv_line(["+CML", "-5", -5, None, 1.5]) == "+CML,-5,-5,,1.5"
    assert escape.csv_line(["+cmd|x", "-1(2)"]) == "'+cmd|x,'-1(2)"


def test_ascii_text_is_itself() -> None:
    text = string.ascii_letters + string.digits + " +-.,:;/()?="
    assert escape.latex(text) == escape.markdown(text) == text
