"""Tar shards: what is read of them, by name and by address; whatever is wrong with one is told with shard and member."""

from __future__ import annotations

import bz2
import functools
import gzip
import http.server
import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tar_shards import captioned, picture, sentence, tar_of
from web_server import serving

from dalr_bench import DataError, Shards
from dalr_bench.plugin.manager import load
from dalr_bench.types import Part
from dalr_bench_plugins.reading import shards as shard_lists
from dalr_bench_plugins.sources.webdataset import Webdataset


def source(folder: Path | None, shards: str, **options: Any) -> Webdataset:
    """As a suite builds it."""
    given = {"shards": shards, **({} if folder is None else {"root": str(folder)}), **options}
    made: Webdataset = load(frozenset({"source"})).catalogue.build("source", Part("webdataset", given))
    return made


def streamed(made: Webdataset) -> Shards:
    found = made.shards()
    assert found is not None
    return found


def rows(shards: Shards) -> list[str]:
    return [text for number in range(len(shards.names)) for sample in shards.read(number) for text in sample.sentences]


def test_sentences_of_braces_and_wildcards_in_order(tmp_path: Path) -> None:
    sentences = captioned(tmp_path, [3, 2, 4])
    for pattern in ("{000..002}.tar", "*.tar", "{000.tar,001.tar,002.tar}"):
        assert list(source(tmp_path, pattern).load().sentences) == sentences
    assert list(source(tmp_path, "{002,000}.tar").load().sentences) == sentences[5:] + sentences[:3]
    assert rows(streamed(source(tmp_path, "*.tar", streaming=True))) == sentences
    assert source(tmp_path, "*.tar").shards() is None


def test_captions_in_json_with_pictures_and_columns(tmp_path: Path) -> None:
    sentences = captioned(tmp_path, [2, 3], pictures=True, captions=2)
    made = source(tmp_path, "*.tar", text="json", field="caption", image="jpg;png")
    corpus = made.load()
    assert list(corpus.sentences) == sentences
    assert corpus.image_of == [number // 2 for number in range(10)]
    assert corpus.images is not None
    assert len(corpus.images) == 5
    assert np.asarray(corpus.images[3])[0, 0].tolist() == [42, 225, 78]  # the picture of sentence 6
    first = next(streamed(source(tmp_path, "*.tar", text="json", field="caption", image="png", streaming=True)).read(1))
    assert first.picture == picture(4)
    texts = {"a.txt": b" one ", "a.good.txt": b"uno", "b.txt": b"two", "b.good.txt": b"due", "b.other": b"not read"}
    tar_of(tmp_path / "pairs" / "0.tar", texts)
    pairs = source(tmp_path / "pairs", "0.tar", columns={"positive": "good.txt"}).load()
    assert (pairs.sentences, pairs.columns) == (["one", "two"], {"positive": ["uno", "due"]})


def test_packed_shards_are_read(tmp_path: Path) -> None:
    captioned(tmp_path, [3])
    plain = (tmp_path / "000.tar").read_bytes()
    for pack in (gzip, bz2, lzma):
        packed = pack.compress(plain)
        (tmp_path / "packed.tar.x").write_bytes(packed)
        assert len(source(tmp_path, "packed.tar.x").load().sentences) == 3
        for length in range(12, len(packed) - 12, 17):
            (tmp_path / "cut.tar.x").write_bytes(packed[:length])
            assert "cut.tar.x: " in fault(source(tmp_path, "cut.tar.x")), (pack, length)


def fault(made: Webdataset) -> str:
    with pytest.raises(DataError) as caught:
        made.load()
    assert caught.value.exit_code == 4
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_cut_shard_is_told_wherever_it_is_cut(tmp_path: Path) -> None:
    captioned(tmp_path, [6])
    whole = (tmp_path / "000.tar").read_bytes()
    end = 6 * 4 * 512  # six records, two members each, a header and a block for each
    assert whole[end:].strip(b"\0") == b""
    (tmp_path / "cut.tar").write_bytes(whole[: end + 1024])
    assert len(source(tmp_path, "cut.tar").load().sentences) == 6
    told = 0
    for length in [*range(1, end, 331), *range(512, end + 1, 512), end + 512]:
        (tmp_path / "cut.tar").write_bytes(whole[:length])
        assert "cut.tar: " in fault(source(tmp_path, "cut.tar")), length
        told += 1
    assert told > 50
    (tmp_path / "cut.tar").write_bytes(whole[: 5 * 512])
    assert "cut.tar: after member 00000.txt: the archive is cut" in fault(source(tmp_path, "cut.tar"))
    (tmp_path / "cut.tar").write_bytes(whole + whole)
    assert "something comes after the end of the archive" in fault(source(tmp_path, "cut.tar"))


@pytest.mark.parametrize(
    ("members", "options", "said"),
    [
        ({"a.txt": b"one", "b.json": b"{}"}, {}, "b: has no member .txt. Known: json."),
        ({"a.txt": b" \n"}, {}, "a.txt: expected a sentence, got"),
        ({"a.txt": b"caf\xe9"}, {}, "a.txt: byte 3 is not UTF-8"),
        ({"a.json": b'{"caption": '}, {"text": "json", "field": "caption"}, "a.json: not JSON"),
        ({"a.json": b"[1]"}, {"text": "json", "field": "caption"}, "a.json: expected a JSON object"),
        ({"a.json": b'{"c": 1}'}, {"text": "json", "field": "caption"}, "a.json, field caption: expected a sentence"),
        ({"a.txt": b"one"}, {"image": "jpg;png"}, "a: has no member .jpg or .png"),
        ({"a.txt": b"one", "b.txt": b"two", "a.txt ": b""}, {"columns": {"p": "pos"}}, "a.pos: expected a sentence"),
        ({"a.text": b"one"}, {}, "a: has no member .txt. Did you mean 'text'? Known: text."),
        ({"a.txt": b"one", "./a.txt": b"two"}, {}, None),
        ({"a.txt": b"one", "a.TXT": b"two"}, {}, "a.TXT: duplicate file name"),
    ],
)
def test_a_bad_record_is_told_with_shard_and_member(
    tmp_path: Path, members: dict[str, bytes], options: dict[str, Any], said: str | None
) -> None:
    tar_of(tmp_path / "0.tar", members)
    made = source(tmp_path, "0.tar", **options)
    if said is None:
        assert len(made.load().sentences) == 2
    else:
        text = fault(made)
        assert said in text
        assert text.startswith(str(tmp_path / "0.tar"))


def test_records_without_a_sentence_are_passed_over_on_request(tmp_path: Path) -> None:
    tar_of(tmp_path / "0.tar", {"a.txt": b"one", "b.txt": b" ", "c.jpg": b"", "d.txt": b"two"})
    assert source(tmp_path, "0.tar", skip_blank=True).load().sentences == ["one", "two"]
    assert "no member ends in .text. Did you mean 'txt'?" in fault(
        source(tmp_path, "0.tar", text="text", skip_blank=True)
    )


def test_shards_that_are_not_there_are_all_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captioned(tmp_path, [1, 1])
    with pytest.raises(DataError) as caught:
        source(tmp_path, "{000..003}.tar")
    assert str(caught.value).splitlines() == [f"{tmp_path}/{n:03}.tar: no such shard" for n in (2, 3)]
    with pytest.raises(DataError, match="no shard is called"):
        source(tmp_path, "*.zip")
    with pytest.raises(DataError, match="this kind of address is not read here; known: http, https"):
        source(None, "pipe:touch x")
    monkeypatch.setattr(shard_lists, "_MOST", 1000)
    for many in ("{0..99999999}.tar", "{0..99}/{00..99}.tar", "{a,b}{000..999}.tar"):
        with pytest.raises(DataError, match="means more than 1000 shards"):
            source(None, many)


def test_an_identity_counts_the_shards_and_not_where_they_are(tmp_path: Path) -> None:
    for place in ("one", "two"):
        captioned(tmp_path / place, [3, 2])

    def counted(place: str, pattern: str) -> dict[str, Any]:
        return Webdataset.identity({"root": str(tmp_path / place), "shards": pattern})

    assert counted("one", "*.tar") == counted("two", "{000..001}.tar")
    assert counted("one", "000.tar") != counted("one", "*.tar")
    captioned(tmp_path / "two", [3, 3])
    assert counted("one", "*.tar") != counted("two", "*.tar")


# ------------------------------------------------------------------ addresses
class Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and notes what was asked."""

    asked: ClassVar[list[str]] = []

    def log_message(self, *_: Any) -> None:
        self.asked.append(f"{self.command} {self.path}")


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    Server.asked = []
    (tmp_path / "served").mkdir()
    handler = functools.partial(Server, directory=str(tmp_path / "served"))
    with serving(handler) as address:
        yield address


def test_shards_behind_an_address(served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sentences = captioned(tmp_path / "served", [3, 2])
    made = source(None, f"{served}/{{000..001}}.tar", streaming=True)
    assert sorted(Server.asked) == ["HEAD /000.tar", "HEAD /001.tar"]
    assert rows(streamed(made)) == sentences
    counted = Webdataset.identity({"root": None, "shards": f"{served}/{{000..001}}.tar"})
    assert counted["shards"][0][0] == f"{served}/000.tar"
    assert counted["shards"][0][1].startswith(f"{(tmp_path / 'served' / '000.tar').stat().st_size}:")
    assert sum(asked.startswith("HEAD") for asked in Server.asked) == 2  # the second time it was remembered
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert Webdataset.identity({"root": None, "shards": f"{served}/{{000..001}}.tar"}) == counted
    before = len(Server.asked)
    with pytest.raises(DataError, match=r"/000\.tar: lies behind the network, which is not asked"):
        rows(streamed(made))
    assert len(Server.asked) == before
    with pytest.raises(DataError, match="the network is not asked"):
        source(None, f"{served}/{{000..002}}.tar")


def test_what_a_server_does_not_give_is_told(served: str, tmp_path: Path) -> None:
    captioned(tmp_path / "served", [3])
    with pytest.raises(DataError, match=r"/001\.tar: no such shard: the server says 404"):
        source(None, f"{served}/{{000..001}}.tar")
    made = source(None, f"{served}/000.tar")
    whole = (tmp_path / "served" / "000.tar").read_bytes()
    (tmp_path / "served" / "000.tar").write_bytes(whole[:1500])
    assert "000.tar: " in fault(made)
    (tmp_path / "served" / "000.tar").unlink()
    assert "000.tar: no such shard" in fault(made)


def test_sentences_are_distinct() -> None:
    assert len({sentence(number) for number in range(1728)}) == 1728
    assert json.dumps(sentence(0)) == '"a dog runs a dog"'
