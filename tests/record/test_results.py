from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from result_samples import records, scores, summary, write

from dalr_bench.errors import DataError
from dalr_bench.record.record import Record
from dalr_bench.record.results import read_results, write_summary
from dalr_bench.record.store import finish
from dalr_bench.record.summary import Summary
from dalr_bench.table.build import build
from dalr_bench.table.model import Request


def test_a_suite_folder_or_the_one_around_it(tmp_path: Path) -> None:
    write(tmp_path / "results" / "pets")
    for folder in (tmp_path / "results", tmp_path / "results" / "pets"):
        found = read_results(folder)
        assert found.folder == tmp_path / "results" / "pets"
        assert found.summary == Summary.from_json(json.loads(json.dumps(summary().to_json())))
        assert set(found.records) == set(records())
        assert found.records["DALR-one-2"].error == "the loss is NaN"


def test_several_suites_must_be_named(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        write_summary(tmp_path / name, Summary(name))
    with pytest.raises(DataError, match="several suites are here, name one of them: cats, dogs"):
        read_results(tmp_path)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such results folder"):
        read_results(tmp_path / "absent")
    with pytest.raises(DataError, match="no results"):
        read_results(tmp_path)


def test_a_damaged_summary_is_a_data_fault(tmp_path: Path) -> None:
    (tmp_path / "suite.json").write_text("{")
    with pytest.raises(DataError, match=r"suite\.json is damaged or half-written"):
        read_results(tmp_path)


def test_without_a_summary_the_records_speak(tmp_path: Path) -> None:
    for seed in (0, 1):
        finish(tmp_path / f"v-{seed}", Record(f"v-{seed}", "s", "v", seed, {"a": "x"}))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "record.json").write_text("{")
    found = read_results(tmp_path)
    assert found.summary.suite == "s"
    assert found.summary.variants == ("v",)
    assert found.summary.axes == {"a": ["x"]}
    assert [(place.seed, place.run_id) for place in found.summary.cells] == [(0, "v-0"), (1, "v-1")]
    assert found.records["broken"].status == "damaged"


def test_hidden_and_other_folders_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / ".cache").mkdir()
    (tmp_path / "notes").mkdir()
    assert set(read_results(tmp_path).records) == set(records())


@pytest.mark.slow
def test_ten_thousand_records_in_three_seconds(tmp_path: Path) -> None:
    for i in range(10_000):
        record = Record(f"r{i}", "s", f"v{i % 100}", i // 100, scores=scores(50 + i % 37))
        folder = tmp_path / record.run_id
        folder.mkdir()
        (folder / "record.json").write_text(json.dumps(record.to_json()))
    started = time.process_time()
    found = read_results(tmp_path)
    table = build(found.summary, found.records, Request(baseline="v0"))
    assert time.process_time() - started < 3
    assert sum(row.n for group in table.groups for row in group.rows) == 10_000


@pytest.mark.parametrize("run", ["../outside", "/outside", "..", "", "a\0b"])
def test_a_cell_cannot_name_a_run_outside_its_folder(run: str) -> None:
    document = {**summary().to_json(), "cells": [{"variant": "v", "seed": 0, "run_id": run}]}
    with pytest.raises(ValueError, match="is no name of a run"):
        Summary.from_json(document)


def test_folders_that_cannot_be_ours_are_passed_over(tmp_path: Path) -> None:
    folder = write(tmp_path / "pets")
    before = read_results(folder)
    (folder / "round").symlink_to(folder / "round")
    for name in (b"\xff\xfe", b"\x1b[31m"):
        os.makedirs(os.path.join(os.fsencode(folder), name))
        (Path(os.fsdecode(os.path.join(os.fsencode(folder), name))) / "record.json").write_text("{}")
    assert read_results(folder) == before
