"""What is asked of a web server: the same words by HEAD or by the first byte, a password from ~/.netrc and for its host alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from web_server import Web, web

from dalr_bench_plugins.reading.over_http import RefusedError, opened, told


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with web(tmp_path / "served") as served:
        (served.folder / "a").write_bytes(b"0123456789")
        yield served


def test_a_server_that_answers_no_head_tells_the_same(server: Web) -> None:
    by_head = told(f"{server.address}/a")
    assert by_head.startswith('10:"')
    server.heads = False
    assert told(f"{server.address}/a") == by_head
    assert server.asked == ["HEAD /a", "GET /a bytes=0-0"]


def test_from_a_byte_on_with_the_size_of_the_whole(server: Web) -> None:
    stream, size, mark = opened(f"{server.address}/a", 4, "")
    assert (stream.read(), size) == (b"456789", 10)
    assert opened(f"{server.address}/a", 0, mark)[2] == mark
    with pytest.raises(RefusedError, match="changed on its server"):
        opened(f"{server.address}/a", 4, '"another"')


def test_the_password_is_of_the_own_host_alone(server: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    server.login = "me:secret"
    with pytest.raises(RefusedError, match="the server says 401"):
        told(f"{server.address}/a")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert told(f"{server.address}/a").startswith("10:")
    with web(tmp_path / "other") as other:
        (other.folder / "a").write_bytes(b"abc")
        server.moved["/b"] = f"{other.address}/a".replace("127.0.0.1", "localhost")
        assert told(f"{server.address}/b").startswith("3:")
        assert other.logins == [None]
