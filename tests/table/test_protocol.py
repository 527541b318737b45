from __future__ import annotations

import pytest

from dalr_bench.errors import SuiteError
from dalr_bench.table.model import Column
from dalr_bench.table.protocol import captions, check, scoring, shared_facts

COLUMNS = [Column(name, name, "", (name, "m", None, "test")) for name in ("a", "b", "c")]


def test_one_way_of_scoring_a_column_is_fine() -> None:
    found = {"a": {"x": ["r"]}, "b": {"y": ["r"]}, "c": {}}
    check(COLUMNS, found, mix=False)
    assert captions(COLUMNS, found) == [(["a"], "x"), (["b"], "y")]


def test_columns_of_one_protocol_stand_together() -> None:
    found = {"a": {"x": ["r"]}, "b": {"y": ["r"]}, "c": {"x": ["r"]}}
    assert captions(COLUMNS, found) == [(["a", "c"], "x"), (["b"], "y")]


def test_every_mixed_column_is_a_fault() -> None:
    found = {"a": {"k; v=1": ["r"], "k; v=2": ["s"]}, "b": {"x": ["r"]}, "c": {"x": ["r"], "": ["s"]}}
    with pytest.raises(SuiteError) as caught:
        check(COLUMNS, found, mix=False)
    first, second = map(str, caught.value.faults)
    assert "they differ in: v=1 against v=2" in first
    assert "they differ in: x against nothing stated" in second
    check(COLUMNS, found, mix=True)
    assert (["c"], "protocol not stated (rows s)") in captions(COLUMNS, found)


def test_the_encoder_is_no_way_of_scoring() -> None:
    assert scoring("sts; aggregation=all | pooling=cls") == "sts; aggregation=all"
    assert shared_facts(["x | a=1; b=2", "y | b=2; c=3"]) == "b=2"
    assert shared_facts(["x", "y | b=2"]) == ""
    assert shared_facts([]) == ""
