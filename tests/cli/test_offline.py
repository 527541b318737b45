"""`--offline` is no attempt: every way to another machine is refused and counted, in the command and in its workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TINY = ROOT / "tests" / "suites" / "tiny.yaml"

# Python imports this before anything else, in every process that inherits PYTHONPATH.
GUARD = """
import os, socket
LOCAL = ("127.", "::1", "localhost")
def refused(what, host):
    if isinstance(host, bytes):
        host = host.decode()
    if host and not str(host).startswith(LOCAL):
        with open(os.environ["ATTEMPTS"], "a") as log:
            log.write(f"{what} {host}\\n")
        raise OSError(f"no network in this test: {what} {host}")
def guarded(name):
    before = getattr(socket.socket, name)
    def connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            refused(name, address[0])
        return before(self, address)
    setattr(socket.socket, name, connect)
guarded("connect")
guarded("connect_ex")
lookup = socket.getaddrinfo
def getaddrinfo(host, *rest, **more):
    refused("getaddrinfo", host)
    return lookup(host, *rest, **more)
socket.getaddrinfo = getaddrinfo
"""


def run(place: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """A command under the guard, without the offline variables of the tests; and what it tried to reach."""
    (place / "sitecustomize.py").write_text(GUARD)
    attempts = place / "attempts"
    attempts.write_text("")
    kept = {key: value for key, value in os.environ.items() if not key.endswith("_OFFLINE")}
    paths = os.pathsep.join([str(place), *filter(None, [kept.get("PYTHONPATH")])])
    environment = {**kept, "PYTHONPATH": paths, "ATTEMPTS": str(attempts), "HF_HOME": str(place / "hub")}
    done = subprocess.run(
        [sys.executable, *words], cwd=place, env=environment, capture_output=True, text=True, timeout=300
    )
    return done, attempts.read_text().splitlines()


def test_the_guard_sees_an_attempt(tmp_path: Path) -> None:
    done, attempts = run(tmp_path, "-c", "import socket; socket.create_connection(('192.0.2.1', 80), 1)")
    assert done.returncode == 1
    assert attempts == ["getaddrinfo 192.0.2.1"]


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_a_run_reaches_for_nothing(tmp_path: Path, executor: str) -> None:
    words = ["-m", "dalr_bench", "run", str(TINY), "--offline", "--executor", executor, "--results", "results"]
    done, attempts = run(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert attempts == []


def test_a_model_that_is_not_there_is_told_without_asking_for_it(tmp_path: Path) -> None:
    (tmp_path / "far.yaml").write_text(
        "suite: far\n"
        "base:\n"
        "  backbone: {name: hf, model: nobody/nothing}\n"
        "  streams: {pairs: {name: scenes, scenes: 20}}\n"
        "  losses: {info: {name: infonce}}\n"
        "  train: {steps: 1, batch: 4}\n"
        "  evaluate: []\n"
        "ablate: {baseline: {}}\n"
    )
    done, attempts = run(tmp_path, "-m", "dalr_bench", "run", "far.yaml", "--offline", "--executor", "inline")
    assert done.returncode == 4, done.stderr
    assert "nobody/nothing" in done.stderr
    assert "Traceback" not in done.stderr
    assert attempts == []
