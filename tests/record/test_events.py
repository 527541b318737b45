from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from dalr_bench.record.events import read_events, tell_event


def test_lines_are_added_and_say_who_and_when(tmp_path: Path) -> None:
    assert read_events(tmp_path) == []
    before = time.time()
    tell_event(tmp_path, "started")
    tell_event(tmp_path, "checkpoint", step=3, bytes=10)
    first, second = read_events(tmp_path)
    assert (first["event"], first["host"], first["pid"]) == ("started", socket.gethostname(), os.getpid())
    assert before - 1 <= first["time"] <= time.time() + 1
    assert (second["event"], second["step"], second["bytes"]) == ("checkpoint", 3, 10)
    assert set(first) == {"event", "time", "host", "pid", "boot"}


def test_a_torn_line_spoils_only_itself(tmp_path: Path) -> None:
    tell_event(tmp_path, "started")
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"event": "chec')
    tell_event(tmp_path, "resumed")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "events.jsonl").write_text('3\n{"no": "event"}\n' + "[" * 9999)
    assert [event["event"] for event in read_events(tmp_path)] == ["started", "resumed"]
    assert read_events(tmp_path / "other") == []
