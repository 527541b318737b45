"""YAML to a tree: what values are, where they stand, and what is refused."""

# ruff: noqa: E501 (suites and whole lines of output are compared as they are)

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from dalr_bench import SuiteError
from dalr_bench.suite.read import MAX_DEPTH, read
from dalr_bench.suite.tree import Mark, Node, plain


def tree(text: str) -> Node:
    node, faults = read(text.encode(), "x.yaml")
    assert not faults
    return node


def refused(text: str | bytes) -> str:
    content = text if isinstance(text, bytes) else text.encode()
    try:
        _, faults = read(content, "x.yaml")
    except SuiteError as error:
        return str(error)
    return "\n".join(map(str, faults))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3e-5", 3e-5), ("1_000", "1_000"), ("0x1F", 31), ("0o17", 15), ("017", 17), ("+3", 3), (".5", 0.5), ("5.", 5.0),
        ("yes", "yes"), ("on", "on"), ("true", True), ("False", False), ("~", None), ("", None), ("'3'", "3"), ('"a\\tb"', "a\tb"),
        ("2020-01-01", "2020-01-01"), ("12:30", "12:30"), ("-0", 0), ("1e3", 1000.0), ("e3", "e3"), ("-", [None]),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    found = plain(tree(f"a:\n  {text}\n").entries["a"])
    assert found == value
    assert type(found) is type(value)


def test_every_value_and_key_knows_its_place() -> None:
    found = tree("a:\n  - {b: 1, 'c': [x]}\n# a comment\nd: >\n  long\n")
    inner = found.entries["a"].items[0]
    assert inner.at == Mark("x.yaml", 2, 5)
    assert inner.entries["b"].key_at == Mark("x.yaml", 2, 6)
    assert inner.entries["b"].at == Mark("x.yaml", 2, 9)
    assert inner.entries["c"].items[0].at == Mark("x.yaml", 2, 18)
    assert (found.entries["d"].value, found.entries["d"].at) == ("long\n", Mark("x.yaml", 4, 4))


def test_an_alias_is_the_value_where_it_was_written() -> None:
    found = tree("a: &x {b: 1}\nc: *x\nd: [*x]\n")
    assert plain(found) == {"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}]}
    assert found.entries["c"].at == Mark("x.yaml", 1, 4)
    assert found.entries["c"].key_at == Mark("x.yaml", 2, 1)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3:1 a: the key is given twice, first at x.yaml:1:1; keep one of them"),
        ("a:\n  b: {c: 1, c: 1}\n", "x.yaml:2:13 a.b.c: the key is given twice, first at x.yaml:2:7; keep one of them"),
        ("a: !!python/object:os.system x\n", "x.yaml:1:4: tags are not read ('tag:yaml.org,2002:python/object:os.system'); a suite holds plain values and names of registered components"),
        ("a: [1, 2\nb: 3\n", "x.yaml:2:2: this is not YAML: expected ',' or ']', but got ':'"),
        ("a: b: c\n", "x.yaml:1:5: this is not YAML: mapping values are not allowed here"),
        ("a: *b\n", "x.yaml:1:4: *b has no anchor before it"),
        ("a: &b [*b]\n", "x.yaml:1:8: *b contains itself"),
        ("? [a]\n: 1\n", "x.yaml:1:3: a key must be text, not a map or a list"),
        ("a: &x b\n*x : 1\n", "x.yaml:2:1: an alias cannot be a key; expected text"),
        ("%YAML 1.1\n---\na: yes\n", "x.yaml:2:1: directives (%YAML, %TAG) are not read; a suite is plain YAML 1.2"),
        ("a: 1\n---\nb: 1\n", "x.yaml:2:1: a second document starts here; expected one"),
        ("a: .inf\n", "x.yaml:1:4 a: '.inf' is not a number that can be used; expected a finite one below 2^63"),
        ("a: 1e999\n", "x.yaml:1:4 a: '1e999' is not a number that can be used; expected a finite one below 2^63"),
        ("a: 9223372036854775808\n", "x.yaml:1:4 a: '9223372036854775808' is not a number that can be used; expected a finite one below 2^63"),
        ("a: {<<: {b: 1}}\n", "x.yaml:1:5 a.<<: merge keys (<<) are no part of YAML 1.2; use `extends`, or a list in `ablate`"),
        ("", "x.yaml: the file is empty; expected a suite (`suite: NAME`, `base: ...`)"),
        ("# nothing\n", "x.yaml: the file is empty; expected a suite (`suite: NAME`, `base: ...`)"),
        ("a: 1\nb: \x07\n", "x.yaml:2:1: the character '\\x07' is not allowed here"),
        (b"a: 1\nb: \xff\n", "x.yaml:2:1: this is not UTF-8 text"),
        (b"PK\x03\x04\x14", "x.yaml: this is a zip archive, not a suite; `dalr-bench run` trains a bundle again"),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_with_its_place(text: str | bytes, line: str) -> None:
    assert refused(text) == line


def test_several_slips_are_told_at_once() -> None:
    told = refused("a: !x 1\na: 2\nb: .nan\n").splitlines()
    assert [line.split(" ")[0].rstrip(":") for line in told] == ["x.yaml:1:4", "x.yaml:2:1", "x.yaml:3:4"]


def test_bombs_are_refused_before_they_grow() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for now, before in zip("bcdefghij", "abcdefghi", strict=True):
        bomb += f"{now}: &{now} [{', '.join([f'*{before}'] * 10)}]\n"
    assert "expands to more than 200000 values" in refused(bomb)
    assert f"nested deeper than {MAX_DEPTH} levels" in refused("[" * 5000)
    assert "too large" in refused(b"a: " + b"x" * 3_000_000)


def test_a_number_of_a_million_digits_takes_no_time() -> None:
    assert "is not a number that can be used" in refused("a: " + "9" * 1_000_000)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc", "Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcxyz", min_size=1, max_size=4), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(st.text("abcxyz", min_size=1, max_size=4), VALUES, min_size=1, max_size=4))
def test_json_is_yaml_and_reads_as_itself(value: dict[str, Any]) -> None:
    assert plain(tree(json.dumps(value, ensure_ascii=True))) == value


@given(st.dictionaries(st.text("abcxyz", min_size=1, max_size=4), VALUES, min_size=1, max_size=4))
def test_block_style_reads_as_ruamel_reads_it(value: dict[str, Any]) -> None:
    stream = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False  # in flow style it writes texts like `:0` that it then cannot read
    writer.dump(value, stream)
    expected = YAML(typ="safe", pure=True).load(stream.getvalue())
    assert plain(tree(stream.getvalue())) == expected


def test_half_a_character_is_refused_where_it_stands() -> None:
    """`"\\ud800"` is YAML; no file could be named so, and no record written."""
    assert refused('suite: x\ntitle: "\\ud800"\n').startswith("x.yaml:2:8: a text holds half of a character")
