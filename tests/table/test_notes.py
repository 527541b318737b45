from __future__ import annotations

from dalr_bench.record.record import Record
from dalr_bench.table.notes import Notes, clean, why_missing


def test_marks_go_on_after_z_and_equal_texts_share_one() -> None:
    notes = Notes()
    marks = [notes.mark(f"reason {i}") for i in range(28)]
    assert marks[:2] + marks[25:] == ["a", "b", "z", "aa", "ab"]
    assert notes.mark("reason 1") == "b"
    assert notes.texts[1] == ("b", "reason 1")
    assert len(notes.texts) == 28


def test_reasons_are_grouped_with_their_seeds() -> None:
    found = {
        "a": Record("a", "s", "v", 0, status="failed", error="out of memory"),
        "b": Record("b", "s", "v", 1, status="failed", error="out of memory"),
        "d": Record("d", "s", "v", 3, status="damaged", error="half-written"),
        "e": Record("e", "s", "v", 4, status="failed"),
        "f": Record("f", "s", "v", 5),
    }
    assert why_missing({"a": 0, "b": 1, "c": 2, "d": 3, "e": 4, "f": 5}, found, "STS12") == (
        "failed: out of memory (seeds 0, 1); not run (seed 2); damaged: half-written (seed 3); "
        "failed: no reason was recorded (seed 4); no score for STS12 (seed 5)"
    )


def test_a_long_error_is_cut() -> None:
    text = why_missing({"a": 0}, {"a": Record("a", "s", "v", 0, status="failed", error="x" * 500)}, "")
    assert len(text) < 200
    assert "x…" in text


def test_what_steers_a_terminal_or_a_line_is_gone() -> None:
    assert clean("\x1b[2J a\r\n\tb\u202e\u200bc\x9b") == "[2J a b c"
    assert clean("+CML “β”") == "+CML “β”"
