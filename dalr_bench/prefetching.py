"""Whether what a suite reads from outside is there; fetching what the hub has. Nothing is opened, nothing is run."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Literal

from dalr_bench.suite.outside import Wanted
from dalr_bench.types import Requirement

State = Literal["there", "fetched", "missing"]
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".npz")


@dataclass(frozen=True)
class Found:
    """One thing from outside: its state, where it is (folder, hub cache, package), and why it is missing."""

    wanted: Wanted
    state: State
    where: str = ""
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """As one entry of the command's document."""
        asked = self.wanted.requirement
        return {
            "kind": asked.kind,
            "name": asked.name,
            "revision": asked.revision,
            "state": self.state,
            "where": self.where,
            "why": self.why,
            "how": asked.how,
            "for": list(self.wanted.by),
        }


def prefetch(wanted: Sequence[Wanted], offline: bool, told: Callable[[Found], None] | None = None) -> list[Found]:
    """Look for each, fetch what is missing and may be on the hub unless `offline`; `told` hears of each at once."""
    out = []
    for item in wanted:
        found = look(item)
        if found.state == "missing" and _on_hub(item.requirement):
            found = _not_asked(found) if offline else fetch(item)
        if told is not None:
            told(found)
        out.append(found)
    return out


def look(wanted: Wanted) -> Found:
    """Whether it is there already; never asks the network."""
    asked = wanted.requirement
    path = Path(asked.name)
    if path.exists():
        return Found(wanted, "there", "folder" if path.is_dir() else "file")
    if asked.name.startswith("package:"):
        return _package(wanted, asked.name.removeprefix("package:"))
    if not _on_hub(asked):
        return Found(wanted, "missing", why=wanted.looked or "there is no such file or folder")
    return _cached(wanted)


def fetch(wanted: Wanted) -> Found:
    """Bring the wanted files of a hub model into the hub's own cache."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    asked = wanted.requirement
    try:
        snapshot_download(asked.name, revision=asked.revision, allow_patterns=list(asked.patterns))
    except (OSError, ValueError, HfHubHTTPError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return Found(wanted, "missing", why=f"could not be fetched: {lines[0]}")
    found = _cached(wanted)
    return replace(found, state="fetched") if found.state == "there" else found


def _package(wanted: Wanted, name: str) -> Found:
    try:
        distribution(name)
    except PackageNotFoundError:
        return Found(wanted, "missing", why=f"the package is not installed: pip install {name}")
    return Found(wanted, "there", "package")


def _cached(wanted: Wanted) -> Found:
    """In the hub's cache, with weights where weights are wanted: a config alone trains nobody."""
    from huggingface_hub import snapshot_download

    asked = wanted.requirement
    try:
        # Patterns also say what a whole snapshot is: the client refuses one that lacks a file of them.
        found = snapshot_download(
            asked.name, revision=asked.revision, allow_patterns=list(asked.patterns), local_files_only=True
        )
    except (OSError, ValueError):
        return Found(wanted, "missing", why="neither a folder nor whole in the hub's cache")
    folder = Path(found)
    files = [path for path in folder.rglob("*") if path.is_file()]
    fitting = [path for path in files if any(fnmatch.fnmatch(path.name, pattern) for pattern in asked.patterns)]
    if _wants_weights(asked) and not any(path.suffix in _WEIGHTS for path in fitting):
        why = "the hub's cache holds it without weights that may be read"
        pickled = " (only pickles: `allow_pickle: true` reads them)" if _pickles(files) else ""
        return Found(wanted, "missing", str(folder), why + pickled)
    return Found(wanted, "there", "hub cache")


def _pickles(files: Sequence[Path]) -> bool:
    return any(path.suffix in (".bin", ".pt", ".pth") for path in files)


def _wants_weights(asked: Requirement) -> bool:
    return any(Path(pattern).suffix in _WEIGHTS for pattern in asked.patterns)


def _on_hub(asked: Requirement) -> bool:
    """Whether the name can be a hub id: NAME or ORG/NAME, and no path."""
    parts = asked.name.split("/")
    plain = all(parts) and len(parts) <= 2 and not asked.name.startswith((".", "~")) and ":" not in asked.name
    return asked.kind == "model" and plain


def _not_asked(found: Found) -> Found:
    return replace(found, why=f"{found.why}; the network was not asked (offline)")
