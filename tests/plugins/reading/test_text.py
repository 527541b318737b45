"""Text, csv and JSON files, plain and gzipped, whole and damaged."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from photos import fault_of

from dalr_bench_plugins.reading import entries
from dalr_bench_plugins.reading.entries import read_entries
from dalr_bench_plugins.reading.text import existing, line_with, numbered_lines, read_csv, read_json, read_json_lines


def test_lines_are_numbered_and_lose_only_their_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n two \n\nthree\x0bfour\x85".replace(b"\x85", "\u2028".encode()))
    assert list(numbered_lines(path)) == [(1, "one"), (2, " two "), (3, ""), (4, "three\x0bfour\u2028")]


def test_gzip_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress("eins\nzwölf\n".encode()))
    assert list(numbered_lines(path)) == [(1, "eins"), (2, "zwölf")]
    assert existing(tmp_path / "a.txt") == path


def test_cut_gzip_names_the_line_reached(tmp_path: Path) -> None:
    import random

    draw = random.Random(0)
    path = tmp_path / "a.txt.gz"
    whole = gzip.compress("".join(f"{draw.random()}\n" for _ in range(20000)).encode())
    path.write_bytes(whole[: len(whole) // 2])
    said = fault_of(lambda: list(numbered_lines(path)))
    line = int(said.removeprefix(f"{path}:").partition(":")[0])
    assert 5000 < line < 15000
    assert "cut or damaged" in said


def test_bytes_that_are_no_gzip(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(b"plain text")
    assert fault_of(lambda: list(numbered_lines(path))).startswith(f"{path}:1: the gzip stream is cut or damaged")


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("fine\ncafé\n".encode() + "na caf\u00e9".encode("latin-1"))
    assert fault_of(lambda: list(numbered_lines(path))) == f"{path}:3:7: byte 0xe9 is not UTF-8"


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert fault_of(lambda: list(numbered_lines(tmp_path / "no"))) == f"{tmp_path}/no: no such file"
    assert fault_of(lambda: existing(tmp_path / "no")) == f"{tmp_path}/no: no such file"
    assert "cannot be read" in fault_of(lambda: list(numbered_lines(tmp_path)))


def test_json_faults_have_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": 1,\n "b": }')
    assert fault_of(lambda: read_json(path)) == f"{path}:2:7: not JSON: Expecting value"
    path.write_text('{"a": 1}\n\n{"a": }\n')
    assert fault_of(lambda: list(read_json_lines(path))) == f"{path}:3:7: not JSON: Expecting value"
    path.write_text("[1]\n")
    assert fault_of(lambda: list(read_json_lines(path))) == f"{path}:1: expected one JSON object a line"


def test_line_with(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("x\ny here\n")
    assert (line_with(path, "here"), line_with(path, "nowhere")) == (2, 1)


def test_csv_rows_and_the_lines_they_end_at(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b,c\n1,"two\nlines",3\n4,"say ""so""",6\n')
    wanted = [
        (3, {"a": "1", "b": "two\nlines", "c": "3"}),
        (4, {"a": "4", "b": 'say "so"', "c": "6"}),
    ]
    assert list(read_csv(path, ("a", "c"))) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,c\n1,2\n", ":1: the header has no column b; it has a, c"),
        ("", ":1: the header has no column a, b; it has nothing"),
        ("a,b\n1,2\n3\n", ":3: a row of another length than the header's 2 fields"),
        ("a,b\n1,2,3\n", ":2: a row of another length than the header's 2 fields"),
        ('a,b\n1,2\n1,"2\n', ":3: not csv: unexpected end of data"),
    ],
)
def test_csv_faults(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert fault_of(lambda: list(read_csv(path, ("a", "b")))) == f"{path}{said}"


@pytest.mark.parametrize("window", [1, 7, 1 << 20])
@pytest.mark.parametrize("indent", [None, 1])
def test_entries_equal_the_whole_document(
    window: int, indent: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "_CHUNK", window)
    document = {"a": {"x": [1.25, -3e-5, "}"]}, "ö,:{": [], "n": 123456, "t": True, "": {"y": None}}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document, indent=indent, ensure_ascii=False), encoding="utf-8")
    read = list(read_entries(path))
    assert {key: value for _, key, value in read} == document
    assert [key for _, key, _ in read] == list(document)
    text = path.read_text(encoding="utf-8").split("\n")
    assert all(json.dumps(key, ensure_ascii=False) in text[line - 1] for line, key, _ in read)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "1: not JSON: expected {, got '['"),
        ("", "1: not JSON: expected {, got the end of the file"),
        ('{"a": [1,\n2', "1: not JSON: "),
        ('{"a": 1,\n 7: 2}', "2: expected a name"),
        ('{"a": 1,\n\n"b" 2}', "3: not JSON: expected :, got '2'"),
        ('{"a": 1', "1: not JSON: expected , or }, got the end of the file"),
    ],
)
def test_entries_of_a_damaged_document(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    assert fault_of(lambda: list(read_entries(path))).startswith(f"{path}:{said}")


def test_entries_that_are_no_utf8_or_a_cut_gzip(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": "\xff"}')
    assert f"{path}:1: not UTF-8" in fault_of(lambda: list(read_entries(path)))
    packed = tmp_path / "b.json.gz"
    packed.write_bytes(gzip.compress(json.dumps({str(n): "x" * n for n in range(900)}).encode())[:-40])
    assert "the gzip stream is cut or damaged" in fault_of(lambda: list(read_entries(packed)))
