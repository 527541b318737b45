"""The Hugging Face hub, small and on this machine: a cache folder as it leaves one, and a server of its tongue."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from web_server import serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Models = Mapping[str, Mapping[str, bytes]]


def fill_cache(cache: Path, model: str, files: Mapping[str, bytes], listed: Sequence[str] = ()) -> Path:
    """A model as the hub's client keeps it: refs/main and a snapshot; the folder of the snapshot.

    `listed`: what the hub has of it, fetched or not, as the client notes it down since version 2.
    """
    home = cache / f"models--{model.replace('/', '--')}"
    snapshot = home / "snapshots" / COMMIT
    for name, content in files.items():
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).write_bytes(content)
    (home / "refs").mkdir(parents=True, exist_ok=True)
    (home / "refs" / "main").write_text(COMMIT)
    if listed:
        _note(home, listed)
    return snapshot


def _note(home: Path, listed: Sequence[str]) -> None:
    try:
        from huggingface_hub._snapshot_download import TreeCacheEntry, write_tree_cache
    except ImportError:
        return  # an older client keeps no list
    entries = {name: TreeCacheEntry(1, "0", None, None, None) for name in listed}
    write_tree_cache(str(home), COMMIT, entries)


@contextmanager
def serve(models: Models) -> Iterator[tuple[str, list[str]]]:
    """Serve these models; gives the endpoint and, growing, the paths of the files that were fetched."""
    fetched: list[str] = []
    with serving(_handler(models, fetched)) as address:
        yield address, fetched


def _handler(models: Models, fetched: list[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def log_message(self, *_: object) -> None: ...

        def _answer(self, body: bool) -> None:
            path, known_model = self.path.partition("?")[0], False
            for model, files in models.items():
                if path.startswith(f"/api/models/{model}"):
                    siblings = [{"rfilename": name} for name in files]
                    document = {"id": model, "modelId": model, "sha": COMMIT, "siblings": siblings, "tags": []}
                    listing = [{"type": "file", "path": name, "size": len(files[name]), "oid": "0"} for name in files]
                    known = listing if "/tree/" in path else document
                    return self._send(json.dumps(known).encode(), body)
                head = f"/{model}/resolve/"
                if path.startswith(head):
                    known_model = True
                    name = path.removeprefix(head).partition("/")[2]
                    if name in files:
                        fetched.extend([name] if body else [])
                        return self._send(files[name], body)
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound" if known_model else "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None

        def _send(self, content: bytes, body: bool) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Type", "application/json")
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if body:
                self.wfile.write(content)

    return Handler
