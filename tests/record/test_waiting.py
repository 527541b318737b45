"""Which failed runs keep others from being trained: worked out from configs and records alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dalr_bench.record import waiting
from dalr_bench.record.record import Record
from dalr_bench.record.results import outcomes, read_results
from dalr_bench.record.store import finish
from dalr_bench.record.waiting import Blockers, told

# Who needs whom; a teacher of teachers, two failures behind one run, and a ring that no plan makes.
NEEDS = {
    "v": ("one",),
    "one": (),
    "deep": ("middle",),
    "middle": ("one", "two"),
    "two": (),
    "sound": ("three",),
    "three": (),
    "ring-a": ("ring-b",),
    "ring-b": ("ring-a",),
    "damaged needs": ("damaged",),
    "damaged": (),
}
STATUS = {"one": "failed", "two": "failed", "three": "done", "damaged": "damaged"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for run, names in NEEDS.items():
        (tmp_path / run).mkdir()
        needs = [{"variant": name, "seed": 0, "run_id": name} for name in names]
        (tmp_path / run / "config.json").write_text(json.dumps({"needs": needs}))
    return tmp_path


def found(folder: Path) -> dict[str, tuple[str, ...]]:
    records = {run: Record(run, "s", run, 0, status=status) for run, status in STATUS.items()}
    blockers = Blockers(folder, records)
    return {run: named for run in NEEDS if (named := blockers.of(run))}


def test_a_failure_is_found_through_others_that_wait(folder: Path) -> None:
    assert found(folder) == {"v": ("one",), "deep": ("one", "two"), "middle": ("one", "two")}


def test_no_config_is_opened_where_nobody_needs_what_failed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "suite.json").write_text(json.dumps({"needed": ["three"]}))
    monkeypatch.delattr(waiting, "read_config")
    assert found(folder) == {}


def test_a_chain_of_ten_thousand_is_gone_through(tmp_path: Path) -> None:
    for i in range(10_000):
        (tmp_path / f"r{i}").mkdir()
        need = {"variant": "v", "seed": 0, "run_id": f"r{i + 1}"}
        (tmp_path / f"r{i}" / "config.json").write_text(json.dumps({"needs": [need]}))
    assert Blockers(tmp_path, {"r10000": Record("r10000", "s", "v", 0, status="failed")}).of("r0") == ("r10000",)


@pytest.mark.parametrize("text", ["{", "[]", '{"needs": 3}', '{"needs": [{"run_id": "../x"}]}'])
def test_a_damaged_config_blocks_nobody(folder: Path, text: str) -> None:
    (folder / "v" / "config.json").write_text(text)
    assert set(found(folder)) == {"deep", "middle"}


def test_a_table_is_told_who_waits_for_what(folder: Path) -> None:
    for run in ("one", "three"):
        finish(folder / run, Record(run, "s", run, 0, status="failed" if run == "one" else "done", error="NaN"))
    cells = [{"variant": run, "seed": 0, "run_id": run} for run in ("v", "sound", "one")]
    (folder / "suite.json").write_text(json.dumps({"suite": "s", "variants": [], "cells": cells}))
    told_of = outcomes(read_results(folder))
    assert (told_of["v"].status, told_of["v"].error) == ("not run", "blocked by one, which failed")
    assert "sound" not in told_of
    assert told_of["one"].status == "failed"


def test_how_it_is_said() -> None:
    assert told(["a"]) == "blocked by a, which failed"
    assert told(["a", "b"]) == "blocked by a and b, which failed"
