"""One sentence a line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from photos import fault_of

from dalr_bench.plugin.manager import load
from dalr_bench.types import Part
from dalr_bench_plugins.sources.lines import Lines


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_sentences_in_order_without_white_space_around(tmp_path: Path) -> None:
    corpus = Lines(write(tmp_path / "a.txt", "one \n\ttwo words\r\nthree")).load()
    assert list(corpus.sentences) == ["one", "two words", "three"]
    assert (corpus.image_of, corpus.images, list(corpus.vocabulary)) == (None, None, [])


def test_limit_and_gzip_twin(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one\ntwo\nthree\n"))
    corpus = Lines(str(tmp_path / "a.txt"), limit=2).load()
    assert list(corpus.sentences) == ["one", "two"]
    assert corpus.fingerprint == Lines(write(tmp_path / "b.txt", "one\ntwo\n")).load().fingerprint
    assert corpus.fingerprint != Lines(write(tmp_path / "b.txt", "one\nTwo\n")).load().fingerprint


def test_blank_line_is_named_unless_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "one\ntwo\n  \nfour\n")
    said = fault_of(lambda: Lines(path).load())
    assert said.startswith(f"{path}:3: a blank line, expected a sentence")
    assert list(Lines(path, skip_blank=True).load().sentences) == ["one", "two", "four"]
    assert list(Lines(path, limit=2).load().sentences) == ["one", "two"]


@pytest.mark.parametrize(("content", "said"), [(b"", ":1: no sentence in it"), (b"ok\n\xff\n", ":2:1: byte 0xff")])
def test_faults(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    assert fault_of(lambda: Lines(str(path)).load()).startswith(f"{path}{said}")
    assert fault_of(lambda: Lines(str(tmp_path / "no.txt")).load()) == f"{tmp_path}/no.txt: no such file"


def test_wikipedia_lines(shared: Path) -> None:
    path = shared / "data" / "wiki" / "wiki1m_head_11914.txt"
    corpus = Lines(str(path)).load()
    assert len(corpus.sentences) == 11914 == len(path.read_text(encoding="utf-8").splitlines())


def test_suite_names_it(tmp_path: Path) -> None:
    catalogue = load(frozenset({"source"})).catalogue
    source = catalogue.build("source", Part("lines", {"path": write(tmp_path / "a", "x\n"), "limit": 1}))
    assert list(source.load().sentences) == ["x"]
    _, faults = catalogue.validate("source", Part("lines", {"path": "a", "limit": 0}))
    assert [path for path, _ in faults] == ["limit"]
