"""A web server on this machine that serves a folder, and breaks its promises when it is told to."""

from __future__ import annotations

import http.server
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Web:
    """`cuts`: per path after how many bytes of the file the connections are closed, one after another. `says`: per path codes
    that are answered, one after another, in place of the file. `login`: `user:password` that is asked for."""

    folder: Path
    address: str = ""
    ranges: bool = True
    heads: bool = True
    login: str | None = None
    cuts: dict[str, list[int]] = field(default_factory=dict)
    says: dict[str, list[int]] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    logins: list[str | None] = field(default_factory=list)


@contextmanager
def web(folder: Path) -> Iterator[Web]:
    """Serve a folder as long as the block lasts."""
    folder.mkdir(exist_ok=True, parents=True)
    made = Web(folder)
    with serving(_handler(made)) as made.address:
        yield made


@contextmanager
def serving(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address at which it answers, as long as the block lasts."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _handler(made: Web) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._send(501, {}, b"") if not made.heads else self._answer()

        def do_GET(self) -> None:
            self._answer()

        def log_message(self, *_: Any) -> None: ...

        def _answer(self) -> None:
            wanted = self.headers.get("Range")
            made.asked.append(f"{self.command} {self.path}{f' {wanted}' if wanted else ''}")
            made.logins.append(self.headers.get("Authorization"))
            if made.login is not None and made.logins[-1] != f"Basic {b64encode(made.login.encode()).decode()}":
                return self._send(401, {}, b"")
            if self.path in made.moved:
                return self._send(302, {"Location": made.moved[self.path]}, b"")
            file = made.folder / self.path.lstrip("/")
            if made.says.get(self.path):
                return self._send(made.says[self.path].pop(0), {}, b"")
            if not file.is_file():
                return self._send(404, {}, b"")
            return self._file(file.read_bytes(), wanted if made.ranges else None)

        def _file(self, whole: bytes, wanted: str | None) -> None:
            named = {"ETag": f'"{hash(whole) & 0xFFFFFFFF:x}"'}
            if wanted is None:
                return self._send(200, named, whole)
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            end = min(len(whole), int(last) + 1) if last else len(whole)
            named["Content-Range"] = f"bytes {first}-{end - 1}/{len(whole)}"
            return self._send(206, named, whole[int(first) : end], int(first))

        def _send(self, code: int, headers: dict[str, str], body: bytes, first: int = 0) -> None:
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                cuts = made.cuts.get(self.path, [])
                self.wfile.write(body[: cuts.pop(0) - first] if cuts else body)
                self.close_connection = True

    return Handler
