from __future__ import annotations

from pathlib import Path

from dalr_bench.record.steps import StepLog, read_steps


def test_lines_are_there_as_soon_as_they_are_written(tmp_path: Path) -> None:
    with StepLog(tmp_path) as log:
        log.write(1, {"loss": 0.5})
        assert read_steps(tmp_path) == [{"step": 1, "loss": 0.5}]
        log.write(2, {"loss": float("nan"), "rate": float("inf"), "terms": {"a": 1}})
    assert read_steps(tmp_path)[1] == {"step": 2, "loss": None, "rate": None, "terms": {"a": 1}}


def test_no_log_no_steps(tmp_path: Path) -> None:
    assert read_steps(tmp_path) == []


def test_a_resume_drops_what_will_come_again(tmp_path: Path) -> None:
    with StepLog(tmp_path) as log:
        for step in range(1, 6):
            log.write(step, {"loss": step})
    with (tmp_path / "steps.jsonl").open("ab") as file:
        file.write(b'{"step": 6, "lo')  # killed in the middle of a line
    assert [line["step"] for line in read_steps(tmp_path)] == [1, 2, 3, 4, 5]
    with StepLog(tmp_path, after=3) as log:
        log.write(4, {"loss": 40})
    assert [line["loss"] for line in read_steps(tmp_path)] == [1, 2, 3, 40]


def test_a_new_start_begins_anew(tmp_path: Path) -> None:
    with StepLog(tmp_path) as log:
        log.write(1, {})
    with StepLog(tmp_path):
        pass
    assert read_steps(tmp_path) == []


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    log = StepLog(tmp_path)
    log.close()
    log.close()
