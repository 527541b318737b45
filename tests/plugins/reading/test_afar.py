"""Bytes over connections that end on the way: all of them, once each and in order, or one line that says where it ended."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from web_server import Web, web

from dalr_bench_plugins.reading import afar
from dalr_bench_plugins.reading.afar import Steady, open_address, trying

CONTENT = bytes(number * number % 251 for number in range(300_000))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setattr(afar, "_WAITS", (0.0,) * 5)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with web(tmp_path / "served") as served:
        (served.folder / "a").write_bytes(CONTENT)
        yield served


def read(address: str) -> bytes:
    with open_address(address) as opened:
        return io.BufferedReader(opened, 1 << 14).read()


def test_a_connection_that_ends_early_is_gone_on_with_where_it_ended(server: Web) -> None:
    server.cuts["/a"] = [100_000, 100_001, 250_000]
    assert read(f"{server.address}/a") == CONTENT
    ranges = [asked.partition(" bytes=")[2] for asked in server.asked]
    assert ranges == ["", "100000-", "100001-", "250000-"]


def test_a_server_without_ranges_is_read_again_up_to_there(server: Web) -> None:
    server.ranges, server.cuts["/a"] = False, [100_000, 30_000, 170_000]
    assert read(f"{server.address}/a") == CONTENT
    assert len(server.asked) == 4


def test_a_server_that_is_busy_is_asked_again(server: Web) -> None:
    server.says["/a"] = [503, 429, 500]
    assert read(f"{server.address}/a") == CONTENT


@pytest.mark.parametrize("code", [401, 403, 404, 410, 400])
def test_a_last_word_is_not_asked_for_again(server: Web, code: int) -> None:
    server.says["/a"] = [code]
    with pytest.raises(OSError, match=f"the server says {code}") as caught:
        read(f"{server.address}/a")
    assert isinstance(caught.value, FileNotFoundError) == (code in (404, 410))
    assert len(server.asked) == 1


def test_a_connection_that_brings_nothing_any_more_is_told_with_its_place(server: Web) -> None:
    server.cuts["/a"] = [1000] * 20
    with pytest.raises(OSError, match="lost 6 times after byte 1000 of 300000: the connection ended on the way"):
        read(f"{server.address}/a")


def test_a_file_that_changes_on_the_way_is_never_pieced_together(server: Web) -> None:
    server.cuts["/a"] = [1000]
    opened = open_address(f"{server.address}/a")
    assert opened.read(500) == CONTENT[:500]
    (server.folder / "a").write_bytes(CONTENT[::-1])
    with pytest.raises(OSError, match="it changed on its server while it was read"):
        opened.read()
    opened.close()


class Weak(io.BytesIO):
    """Ends with an error of its own kind in the middle."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() == 10:
            raise RuntimeError("a library's own")
        return super().read(10 - self.tell() if self.tell() < 10 else size)


def test_faults_of_a_library_of_buckets_are_met_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(afar, "_WAITS", (0.0,) * 5)
    opens: list[int] = []

    def opened(at: int, mark: str) -> tuple[Any, int | None, str]:
        opens.append(at)
        stream: io.BytesIO = Weak(CONTENT) if len(opens) == 1 else io.BytesIO(CONTENT)
        stream.seek(at)
        return stream, None, mark

    with Steady(opened) as steady:
        assert steady.read() == CONTENT
    assert opens == [0, 10]


def test_a_bucket_is_read_from_where_it_was_left() -> None:
    files = fsspec.filesystem("memory")
    files.pipe("/afar/a", CONTENT)
    assert read("memory://afar/a") == CONTENT
    stream, size, _ = afar._from_bucket("memory://afar/a", 1234, "")
    assert (stream.read(), size) == (CONTENT[1234:], len(CONTENT))
    with pytest.raises(FileNotFoundError):
        read("memory://afar/none")


def test_questions_are_asked_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(afar, "_WAITS", (0.0,) * 5)
    tries: list[int] = []

    def asked() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("busy")
        return "found"

    assert trying(asked) == "found"
    with pytest.raises(FileNotFoundError):
        trying(lambda: Path("nowhere").read_text())
    assert len(tries) == 3
