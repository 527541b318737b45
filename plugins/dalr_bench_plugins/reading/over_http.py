"""Files of web servers: what a server tells of one, and its bytes from any place on. Passwords come from ~/.netrc alone."""

from __future__ import annotations

import netrc
import os
from base64 import b64encode
from contextlib import suppress
from email.message import Message
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

_PATIENCE = 30.0
_AGAIN = (408, 425, 429, 500, 502, 503, 504)


class RefusedError(OSError):
    """The server's last word: it will say the same when it is asked again."""


def told(address: str) -> str:
    """`size:ETag`, or the time of change where there is no ETag. Raises OSError, FileNotFoundError for what is not there."""
    try:
        return _named(_answered(_request(address, method="HEAD")))
    except RefusedError as error:
        if getattr(error.__cause__, "code", 0) not in (403, 405, 501):
            raise
    # Some servers answer no HEAD: the first byte comes with the same words.
    answer = _answered(_request(address, Range="bytes=0-0"))
    answer.close()
    return _named(answer)


def opened(address: str, at: int, mark: str) -> tuple[IO[bytes], int | None, str]:
    """The bytes from `at` on, the size of the whole, and its ETag; `mark` is the one it had before.

    Raises RefusedError where the file is another one now.
    """
    more = {"Range": f"bytes={at}-"} if at else {}
    answer = _answered(_request(address, **more))
    size, now = _size(answer.headers), answer.headers.get("ETag") or ""
    if mark and now != mark:
        answer.close()
        raise RefusedError("it changed on its server while it was read")
    if at and answer.status != 206:  # a server that knows no ranges begins anew
        _skip(answer, at)
    return answer, size, now


def _request(address: str, method: str = "GET", **headers: str) -> Request:
    asked = Request(address, headers=headers, method=method)
    known = _login(urlsplit(address).hostname or "")
    if known is not None:  # not handed on where the server sends us elsewhere
        asked.add_unredirected_header("Authorization", f"Basic {b64encode(known.encode()).decode()}")
    return asked


def _login(host: str) -> str | None:
    with suppress(OSError, netrc.NetrcParseError):
        found = netrc.netrc(os.environ.get("NETRC") or Path.home() / ".netrc").authenticators(host)
        return None if found is None else f"{found[0]}:{found[2]}"
    return None


def _answered(asked: Request) -> Any:
    try:
        return urlopen(asked, timeout=_PATIENCE)
    except HTTPError as error:
        said = f"the server says {error.code} {error.reason}"
        error.close()
        if error.code in (404, 410):
            raise FileNotFoundError(said) from error
        if error.code in _AGAIN:
            raise ConnectionError(said) from error
        raise RefusedError(said) from error


def _size(headers: Message) -> int | None:
    """Of the whole file: the end of `Content-Range: bytes 5-9/10`, else the length of the answer."""
    found = (headers.get("Content-Range") or "").rpartition("/")[2] or headers.get("Content-Length") or ""
    return int(found) if found.isdigit() else None


def _named(answer: Any) -> str:
    size = _size(answer.headers)
    return f"{'' if size is None else size}:{answer.headers.get('ETag') or answer.headers.get('Last-Modified') or ''}"


def _skip(answer: IO[bytes], count: int) -> None:
    while count and (found := answer.read(min(count, 1 << 16))):
        count -= len(found)
    if count:
        raise ConnectionError("the connection ended on the way")
