"""Progress says run, step, loss and time left, on a terminal and in a file."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from dalr_bench.cli.show import Bars, Lines, Pace, describe, display, printable, span

STEP = {"event": "step", "run_id": "DALR-s0", "step": 150, "steps": 300, "loss": 1.25}
FAILED = {"event": "end", "run_id": "DALR-s0", "status": "failed", "error": "NaN in [cma]"}


def test_a_file_gets_lines_and_a_terminal_bars() -> None:
    assert isinstance(display(2, Console(file=io.StringIO())), Lines)
    assert isinstance(display(2, Console(file=io.StringIO(), force_terminal=True)), Bars)
    dumb = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    assert isinstance(display(2, dumb), Lines)


@pytest.mark.parametrize("terminal", [False, True])
def test_both_say_run_step_loss_and_what_failed(terminal: bool) -> None:
    out = io.StringIO()
    with display(2, Console(file=out, force_terminal=terminal, width=160)) as shown:
        shown.event({"event": "stage", "run_id": "DALR-s0", "stage": "prepare"})
        shown.event(STEP)
        if isinstance(shown, Bars):
            shown._progress.refresh()
        shown.event(FAILED)
    text = out.getvalue()
    assert "DALR-s0" in text
    assert "step 150/300" in text
    assert "1.2500" in text
    assert "left" in text
    assert "failed" in text
    assert "NaN in [cma]" in text


def test_the_time_left_follows_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    pace = Pace(4, started=100.0)
    assert pace.left == "time left unknown"
    clock[0] = 160.0
    pace.see({"event": "end", "run_id": "a"})
    assert pace.left == "3 min 00 s left"
    pace.see({"event": "step", "run_id": "b", "step": 10, "steps": 10})
    assert pace.left.startswith("1 min 0")


@pytest.mark.parametrize(("seconds", "text"), [(8.4, "8 s"), (130, "2 min 10 s"), (11_100, "3 h 05 min")])
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_every_event_has_words() -> None:
    assert describe({"event": "prepare", "run_id": "a", "done": 3, "total": 9}) == "asking a teacher 3/9"
    assert describe({"event": "encode", "run_id": "a", "done": 3, "total": 9}) == "encoding 3/9"
    assert describe({"event": "dev", "run_id": "a", "step": 60, "value": 0.5}) == "step 60  dev 50.00"
    assert describe({"event": "stage", "run_id": "a", "stage": "score"}) == "score"


def test_no_word_of_a_stranger_steers_the_terminal() -> None:
    assert printable("a\x1b[31m\u202eb\u2066\r→ é") == "a [31m b  → é"
