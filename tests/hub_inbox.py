"""A hub on this machine that takes what is sent: repositories, commits, large files apart, as the client speaks to it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from fake_hub import COMMIT
from web_server import serving


@dataclass
class Inbox:
    """What arrived: files by repository, large files by their sha256, and the token each request showed."""

    endpoint: str = ""
    created: list[str] = field(default_factory=list)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def commit(self, repository: str, lines: list[dict[str, Any]]) -> None:
        """One commit, an operation a line."""
        place = self.files.setdefault(repository, {})
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                self.messages.append(value["summary"])
            elif line["key"] == "file":
                place[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                place[value["path"]] = self.large[value["oid"]]
            else:
                raise ValueError(line["key"])


@contextmanager
def receive() -> Iterator[Inbox]:
    """Serve an empty hub; gives what it takes in, growing."""
    inbox = Inbox()
    with serving(_handler(inbox)) as inbox.endpoint:
        yield inbox


def _handler(inbox: Inbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say({"sha": COMMIT, "id": self.path.removeprefix("/api/models/").partition("/revision")[0]})

        def do_PUT(self) -> None:
            inbox.large[self.path.rpartition("/")[2]] = self._body()
            self._say({})

        def do_POST(self) -> None:
            inbox.tokens.add(self.headers.get("Authorization", ""))
            body, path = self._body(), self.path
            if path == "/api/repos/create":
                asked = json.loads(body)
                name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
                inbox.created.append(name)
                return self._say({"url": f"{inbox.endpoint}/{name}", "name": name})
            if path.endswith("/preupload/main"):
                files = [each["path"] for each in json.loads(body)["files"]]
                mode = {True: "lfs", False: "regular"}
                told = [
                    {
                        "path": name,
                        "uploadMode": mode[name.endswith(".safetensors")],
                        "shouldIgnore": False,
                        "oid": None,
                    }
                    for name in files
                ]
                return self._say({"files": told})
            if path.endswith("/info/lfs/objects/batch"):
                return self._say(self._where(json.loads(body)["objects"]))
            if "/commit/" in path:
                repository = path.removeprefix("/api/models/").partition("/commit/")[0]
                inbox.commit(repository, [json.loads(line) for line in body.splitlines() if line])
                url = f"{inbox.endpoint}/{repository}/commit/{COMMIT}"
                return self._say({"success": True, "commitOid": COMMIT, "commitUrl": url})
            return self._say({}, 200 if "yaml" in path else 404)

        def log_message(self, *_: object) -> None: ...

        def _where(self, objects: list[dict[str, Any]]) -> dict[str, Any]:
            """The batch answer of git's large file storage."""
            found = [
                {**each, "actions": {"upload": {"href": f"{inbox.endpoint}/large/{each['oid']}"}}} for each in objects
            ]
            return {"transfer": "basic", "objects": found}

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            out = b""
            while size := int(self.rfile.readline(), 16):
                out += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return out

        def _say(self, document: dict[str, Any], status: int = 200) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler
