"""One data set on a hub that is this machine: its API and its files, which may be refused or cut."""

from __future__ import annotations

import hashlib
import http.server
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from web_server import serving

NAME = "someone/captions"


@dataclass
class Hub:
    """`files` at `commit`, with what was asked. `cuts`: after how many bytes answers with a file end, one after another."""

    files: dict[str, bytes]
    commit: str
    endpoint: str = ""
    asked: list[str] = field(default_factory=list)
    cuts: dict[str, list[int]] = field(default_factory=dict)


@contextmanager
def dataset_hub(files: dict[str, bytes], commit: str = "0123456789abcdef0123456789abcdef01234567") -> Iterator[Hub]:
    """Serve it as long as the block lasts."""
    made = Hub(files, commit)
    with serving(_handler(made)) as made.endpoint:
        yield made


def _handler(made: Hub) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}"))

        def log_message(self, *_: Any) -> None: ...

        def _answer(self, given: Any = None) -> None:
            path = self.path.partition("?")[0]
            made.asked.append(f"{self.command} {self.path}")
            api = f"/api/datasets/{NAME}"
            if path in (api, *(f"{api}/revision/{name}" for name in ("main", made.commit))):
                siblings = [{"rfilename": name} for name in made.files]
                return self._json({"id": NAME, "sha": made.commit, "siblings": siblings, "tags": []})
            if path.startswith(f"{api}/tree/"):
                return self._json(self._listing(path.removeprefix(f"{api}/tree/").partition("/")[2]))
            if path.startswith(f"{api}/paths-info/"):
                return self._json([self._entry(name) for name in given["paths"] if name in made.files])
            head = f"/datasets/{NAME}/resolve/"
            name = path.removeprefix(head).partition("/")[2] if path.startswith(head) else ""
            if name in made.files:
                return self._file(name, self.headers.get("Range"))
            known = {"X-Error-Code": "EntryNotFound" if path.startswith(head) or api in path else "RepoNotFound"}
            return self._send(404, known, b"")

        def _listing(self, folder: str) -> list[dict[str, Any]]:
            head = f"{folder}/" if folder else ""
            inner = sorted({name.removeprefix(head).partition("/")[0] for name in made.files if name.startswith(head)})
            folders = [{"type": "directory", "path": head + name, "size": 0, "oid": "0"} for name in inner]
            return [self._entry(each["path"]) if each["path"] in made.files else each for each in folders]

        def _entry(self, name: str) -> dict[str, Any]:
            oid = hashlib.sha1(made.files[name]).hexdigest()
            return {"type": "file", "path": name, "size": len(made.files[name]), "oid": oid}

        def _json(self, document: Any) -> None:
            self._send(200, {"Content-Type": "application/json"}, json.dumps(document).encode())

        def _file(self, name: str, wanted: str | None) -> None:
            whole = made.files[name]
            told = {
                "ETag": f'"{hashlib.sha1(whole).hexdigest()}"',
                "X-Repo-Commit": made.commit,
                "Accept-Ranges": "bytes",
            }
            first, end, code = 0, len(whole), 200
            if wanted is not None:
                begin, _, last = wanted.removeprefix("bytes=").partition("-")
                first, end, code = int(begin), min(len(whole), int(last) + 1) if last else len(whole), 206
                told["Content-Range"] = f"bytes {first}-{end - 1}/{len(whole)}"
            cuts = made.cuts.get(name, []) if self.command == "GET" else []
            self._send(code, told, whole[first:end], cuts.pop(0) if cuts else None)

        def _send(self, code: int, headers: dict[str, str], body: bytes, cut: int | None = None) -> None:
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[:cut])
            self.close_connection = cut is not None

    return Handler
