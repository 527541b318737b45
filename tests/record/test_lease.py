"""One process works on a folder: among threads that race, after deaths, beside other machines."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dalr_bench.process import boot_id, myself
from dalr_bench.record import lease as module
from dalr_bench.record.lease import described, holder, is_abandoned, leases, take, wait_for


def write(folder: Path, number: int, age: float = 0.0, **changes: Any) -> Path:
    path = folder / f"lease-{number}.json"
    path.write_text(json.dumps({**myself(), **changes}))
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def dead() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_one_at_a_time(tmp_path: Path) -> None:
    first = take(tmp_path)
    assert first is not None
    who = holder(tmp_path)
    assert who is not None
    assert (who["pid"], who["host"], who["boot"]) == (os.getpid(), socket.gethostname(), boot_id())
    assert take(tmp_path) is None
    first.release()
    assert holder(tmp_path) is None
    assert not is_abandoned(tmp_path)
    assert os.listdir(tmp_path) == []
    assert take(tmp_path) is not None


def test_the_number_stays_where_it_must(tmp_path: Path) -> None:
    first = take(tmp_path)
    assert first is not None
    first.release(keep_number=True)
    assert holder(tmp_path) is None
    assert not is_abandoned(tmp_path)
    second = take(tmp_path)
    assert second is not None
    assert [path.name for path in leases(tmp_path)] == ["lease-2.json"]


@pytest.mark.parametrize("links", [True, False])
def test_of_many_who_try_at_once_one_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(95, "no links here")))
    for round_ in range(20):
        folder = tmp_path / str(round_)
        folder.mkdir()
        write(folder, 7, pid=dead() if round_ == 0 else 2**22 + 1)
        barrier = threading.Barrier(8)

        def attempt(_: int, folder: Path = folder, barrier: threading.Barrier = barrier) -> Any:
            barrier.wait()
            return take(folder)

        with ThreadPoolExecutor(8) as pool:
            got = [each for each in pool.map(attempt, range(8)) if each is not None]
        assert len(got) == 1
        assert [path.name for path in leases(folder)] == ["lease-8.json"]
        got[0].release()


def test_who_is_gone_is_taken_over_at_once_here(tmp_path: Path) -> None:
    write(tmp_path, 1, pid=dead())
    assert is_abandoned(tmp_path)
    mine = take(tmp_path)
    assert mine is not None
    assert mine.path.name == "lease-2.json"
    mine.release()
    write(tmp_path, 3, born=1)  # the number is used again, by another process
    assert holder(tmp_path) is None


@pytest.mark.parametrize("other", [{"host": "elsewhere"}, {"boot": "another boot"}])
def test_who_cannot_be_asked_is_believed_until_the_heart_stops(tmp_path: Path, other: dict[str, str]) -> None:
    write(tmp_path, 1, age=module.SECONDS_UNTIL_STALE - 20, **other)
    assert holder(tmp_path) is not None
    assert take(tmp_path) is None
    write(tmp_path, 1, age=module.SECONDS_UNTIL_STALE + 20, **other)
    assert holder(tmp_path) is None
    assert is_abandoned(tmp_path)
    assert take(tmp_path) is not None


def test_the_clock_of_the_file_server_counts_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 1, age=5, host="elsewhere")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 10_000)  # our clock is fast by hours
    assert take(tmp_path) is None
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_the_heart_beats_and_a_loss_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_BEATS", 0.01)
    mine = take(tmp_path)
    assert mine is not None
    os.utime(mine.path, (1, 1))
    until = time.monotonic() + 20
    while mine.path.stat().st_mtime < 2:
        assert time.monotonic() < until
        time.sleep(0.01)
    write(tmp_path, 2, host="elsewhere")
    assert not mine.is_mine()
    assert mine.lost.is_set()
    mine.release()
    assert [path.name for path in leases(tmp_path)] == ["lease-1.json", "lease-2.json"]


def test_a_removed_lease_is_a_lost_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_BEATS", 0.01)
    mine = take(tmp_path)
    assert mine is not None
    mine.path.unlink()
    assert mine.lost.wait(20)


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}"])
def test_a_damaged_lease_is_another_machines(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lease-4.json"
    path.write_text(text)
    gone = text == "[1]"  # a document that nobody can have written
    assert (take(tmp_path) is not None) == gone
    os.utime(path, (1, 1)) if not gone else None
    if not gone:
        assert take(tmp_path) is not None


def test_waiting_ends_when_it_is_given_back(tmp_path: Path) -> None:
    first = take(tmp_path)
    assert first is not None
    told: list[str] = []
    threading.Timer(0.2, first.release).start()
    second, waited = wait_for(tmp_path, told.append, pause=0.02)
    assert waited
    assert told == [f"process {os.getpid()} on {socket.gethostname()}"]
    second.release()
    third, waited = wait_for(tmp_path, told.append)
    assert (waited, len(told)) == (False, 1)
    third.release()
    assert described({}) == "another process"
