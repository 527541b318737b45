from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dalr_bench.record.record import Record, scores_from_json, scores_to_json
from dalr_bench.record.summary import Place, Summary
from dalr_bench.types import Score

SCORE = Score("STS12", "spearman", 0.7237, 3108, aggregation="all", protocol="p")
RECORD = Record("r", "s", "v", 3, {"a": "b"}, scores=(SCORE,), seconds={"train": 1.5}, environment={"python": "3"})


def document(**changes: Any) -> dict[str, Any]:
    return {**RECORD.to_json(), **changes}


def test_the_document_is_the_contract() -> None:
    assert RECORD.to_json() == {
        "schema": 1,
        "run_id": "r",
        "suite": "s",
        "variant": "v",
        "axes": {"a": "b"},
        "seed": 3,
        "status": "done",
        "error": None,
        "scores": [
            {
                "task": "STS12",
                "metric": "spearman",
                "aggregation": "all",
                "split": "test",
                "value": 0.7237,
                "n": 3108,
                "protocol": "p",
            }
        ],
        "seconds": {"train": 1.5},
        "environment": {"python": "3"},
    }


def test_round_trip() -> None:
    assert Record.from_json(json.loads(json.dumps(RECORD.to_json()))) == RECORD
    failed = replace(RECORD, status="failed", error="NaN", scores=(), extra={"bytes": {"peak": 5}})
    assert Record.from_json(json.loads(json.dumps(failed.to_json()))) == failed


def test_added_keys_stay_and_cannot_replace_ours() -> None:
    record = replace(RECORD, extra={"curves": [1], "status": "failed"})
    assert record.to_json()["curves"] == [1]
    assert record.to_json()["status"] == "done"
    assert Record.from_json(document(later="x")).extra == {"later": "x"}


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([], "a record is an object, not list"),
        (None, "a record is an object, not null"),
        ({}, "schema None is unknown"),
        (document(schema=2), "schema 2 is unknown here; this version reads 1"),
        (document(status="running"), "status must be done or failed, not 'running'"),
        (document(status="damaged"), "status must be done or failed"),
        (document(seed="3"), "`seed` must be int, not str"),
        (document(seed=True), "`seed` must be int, not bool"),
        (document(scores=None), "`scores` must be list, not null"),
        (document(scores=[3]), r"scores\[0\]: it is int, not an object"),
        (document(scores=[{**document()["scores"][0], "protocol": ["x"]}]), r"scores\[0\]: `protocol` must be str, not list"),
        (document(scores=[{**document()["scores"][0], "split": {}}]), r"scores\[0\]: `split` must be str, not dict"),
        (document(scores=[{"task": "x"}]), r"scores\[0\]: `metric` must be str, not absent"),
        (document(scores=[{**document()["scores"][0], "value": float("nan")}]), "`value` must be a finite number"),
        (document(scores=[{**document()["scores"][0], "value": "0.7"}]), "`value` must be a finite number"),
        (document(seconds={"train": "long"}), "`seconds.train` must be a finite number"),
        ({k: v for k, v in document().items() if k != "run_id"}, "`run_id` must be str, not absent"),
    ],
)
def test_damage_is_named(found: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Record.from_json(found)


def test_what_must_not_be_written() -> None:
    with pytest.raises(ValueError, match="a damaged record is never written"):
        replace(RECORD, status="damaged").to_json()
    with pytest.raises(ValueError, match="STS12 spearman is nan"):
        scores_to_json([replace(SCORE, value=float("nan"))])


def test_scores_have_defaults() -> None:
    (found,) = scores_from_json([{"task": "x", "metric": "m", "value": 1, "n": 2}])
    assert found == Score("x", "m", 1.0, 2)


def test_summary_round_trip() -> None:
    summary = Summary(
        "s", "t", ("a", "b"), ("b",), ("a",), {"x": ("1",)}, (Place("a", 0, "r", {"x": "1"}),), {"a": {"x.m": 1.0}}
    )
    assert Summary.from_json(json.loads(json.dumps(summary.to_json()))) == summary
    assert Summary.from_json({"suite": "s", "variants": [], "cells": []}) == Summary("s")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([], "the summary of a suite is an object"),
        ({"suite": "s", "cells": []}, "`variants` must be list, not absent"),
        ({"suite": "s", "variants": [], "cells": [1]}, "each of `cells` is an object"),
        ({"suite": "s", "variants": [], "cells": [{"variant": "a", "seed": 0}]}, "`run_id` must be str, not absent"),
        ({"suite": "s", "variants": [], "cells": [], "axes": {"x": 1}}, "`x` must be list, not int"),
    ],
)
def test_a_damaged_summary_is_named(found: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Summary.from_json(found)
