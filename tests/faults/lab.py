"""A warm process that is forked for every trial: the child runs the suite and is killed, or its disk fails; the folders are then read.

Importing torch and transformers takes seconds and a trial takes one, so the parent imports what a run imports and nothing more:
it never computes, for threads do not survive a fork.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SUITE = HERE / "suite.yaml"
APART = ("seconds", "environment", "bytes", "costs")
CLOCKED = (
    "record.json",
    "steps.jsonl",
    "events.jsonl",
    "trained.json",
)  # they hold times, or their part that must be equal is compared
FULL, BROKEN, DIE, TEAR = 28, 5, -1, -2  # errno ENOSPC and EIO; killed before a call, or in the middle of a write


def build_layer(folder: Path) -> Path:
    """The layer of layer.c as a library."""
    library = folder / "layer.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "layer.c"), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library


@dataclass
class Strike:
    """At which call under the trial's folder, and what happens there. `at` 0: nothing happens."""

    at: int = 0
    how: int = 0
    seconds: float | None = None  # SIGKILL after so long instead


@dataclass
class Lab:
    """Trials under one folder, compared with an undisturbed run of the same suite."""

    root: Path
    near: str = ""  # only calls whose line has this in it
    every: str = "2steps"
    calls: list[str] = field(default_factory=list)
    reference: dict[str, Any] = field(default_factory=dict)
    took: float = 0.0

    def warm(self) -> None:
        """Import what a run imports, learnt from a child that ran; keep what an undisturbed run leaves, and its calls."""
        place = self.root / "undisturbed"
        names = self.root / "modules"

        def after() -> None:
            names.write_text("\n".join(sorted(sys.modules)))

        assert self.run(place, after=after) == 0, (place / "log").read_text()
        import importlib
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in names.read_text().splitlines():
                try:
                    importlib.import_module(name)
                except Exception:  # a module that only another one can import
                    continue
        shutil.rmtree(place)
        started = time.perf_counter()
        assert self.run(place, listing=True) == 0, (place / "log").read_text()
        self.took = time.perf_counter() - started
        self.calls = (place / "witness").read_text().splitlines()
        self.reference = outcome(place)

    def start(self, place: Path, strike: Strike, after: Callable[[], None] | None = None, listing: bool = False) -> int:
        """Fork a process that runs the suite in `place`; returns its number."""
        place.mkdir(parents=True, exist_ok=True)
        child = os.fork()
        if child:
            return child
        code = 99
        try:
            os.setsid()
            code = self._child(place, strike, after, listing)
        finally:
            os._exit(code)

    def _child(self, place: Path, strike: Strike, after: Callable[[], None] | None, listing: bool) -> int:
        log = os.open(place / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ["DALR_BENCH_CACHE"] = str(place / "work" / "cache")
        (place / "work").mkdir(exist_ok=True)
        witness = os.open(place / "witness", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        ctypes.CDLL(None).arm(str(place / "work").encode(), strike.at, strike.how, witness, int(listing))
        from dalr_bench.cli.main import main

        line = ["run", str(SUITE), "--results", str(place / "work" / "results"), "--executor", "inline"]
        try:
            main([*line, "--checkpoint-every", self.every])
            code = 98
        except SystemExit as left:
            code = int(left.code or 0)
        ctypes.CDLL(None).arm(b"", 0, 0, -1, 0)
        if after is not None:
            after()
        sys.stdout.flush()
        sys.stderr.flush()
        return code

    def run(
        self, place: Path, strike: Strike | None = None, after: Callable[[], None] | None = None, listing: bool = False
    ) -> int:
        """Run the suite once and wait; the exit code, or minus the signal that ended it."""
        strike = strike or Strike()
        child = self.start(place, strike, after, listing)
        if strike.seconds is not None:
            time.sleep(strike.seconds)
            os.kill(child, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def faults(self, place: Path) -> list[str]:
        """What is not as an undisturbed run leaves it, in words; nothing where all is well."""
        found = outcome(place)
        wrong = [f"{name} differs" for name in self.reference if found.get(name) != self.reference[name]]
        wrong += [f"{name} is too much" for name in found if name not in self.reference]
        wrong += [f"{path.relative_to(place)} was left" for path in leftovers(place)]
        for folder in run_folders(place):
            told = [json.loads(line)["event"] for line in lines(folder / "events.jsonl")]
            wrong += [f"{folder.name}: done {told.count('done')} times"] if told.count("done") > 1 else []
            wrong += [f"{folder.name}: trained {told.count('trained')} times"] if told.count("trained") > 1 else []
        return wrong


def lines(path: Path) -> list[str]:
    """Whole lines of JSON of a log; a torn one is left out, and none are where there is no log."""
    out: list[str] = []
    if not path.exists():
        return out
    for line in path.read_text().splitlines():
        try:
            json.loads(line)
        except ValueError:
            continue
        out.append(line)
    return out


def run_folders(place: Path) -> list[Path]:
    return sorted(path.parent for path in (place / "work" / "results" / "faults").glob("*/config.json"))


def leftovers(place: Path) -> list[Path]:
    """Temporary files, leases and checkpoints that are there when nothing runs any more."""
    return [
        path
        for path in (place / "work").rglob("*")
        if ".part" in path.name or path.name.startswith("lease-") or path.name in ("checkpoints", "scored")
    ]


def outcome(place: Path) -> dict[str, Any]:
    """All that must be equal, by name: records, curves, hashes of weights, models and predictions, the suite's own files."""
    out: dict[str, Any] = {}
    for folder in run_folders(place):
        name = folder.name.rsplit("-", 1)[0]
        record = json.loads((folder / "record.json").read_text())
        out[f"{name} record"] = {key: value for key, value in record.items() if key not in APART}
        steps = [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]
        out[f"{name} curve"] = [{key: value for key, value in step.items() if key != "seconds"} for step in steps]
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name not in CLOCKED:
                out[f"{name} {path.relative_to(folder)}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return out
