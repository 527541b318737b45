from __future__ import annotations

from pathlib import Path

import pytest

from dalr_bench.errors import DataError
from dalr_bench.table.reported import from_expect, read_reported

HEAD = "row,task,metric,value,source,std,protocol\n"


def written(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "reported.csv"
    path.write_text(text, encoding=encoding)
    return path


def test_rows_by_name_and_source(tmp_path: Path) -> None:
    text = "A,STS12,spearman,70.5,paper,0.3,all\nA,STS13,spearman,80,paper,,\nA,STS12,spearman,71,blog,,\n"
    first, second = read_reported(written(tmp_path, HEAD + text, "utf-8-sig"))
    assert (first.name, first.source) == ("A", "paper")
    assert first.values == {"STS12.spearman": 70.5, "STS13.spearman": 80}
    assert first.stds == {"STS12.spearman": 0.3}
    assert first.protocols == {"STS12.spearman": "all"}
    assert (second.source, second.values) == ("blog", {"STS12.spearman": 71})


def test_optional_columns_may_be_absent(tmp_path: Path) -> None:
    (row,) = read_reported(written(tmp_path, "row,task,metric,value,source\nA,x,m,1,s\n"))
    assert (row.values, row.stds, row.protocols) == ({"x.m": 1}, {}, {})


def test_all_faults_at_once_with_their_lines(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + "A,STS12,spearman,seventy,paper,,\nA,,spearman,nan,,x,\n")
    with pytest.raises(DataError) as caught:
        read_reported(path)
    assert [(fault.line, fault.what) for fault in caught.value.faults] == [
        (2, "`value` must be a number, got 'seventy'"),
        (3, "`task` is empty"),
        (3, "`source` is empty"),
        (3, "`value` must be a number, got 'nan'"),
        (3, "`std` must be a number, got 'x'"),
    ]
    assert all(fault.file == str(path) for fault in caught.value.faults)


def test_missing_columns_and_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="columns are missing: value, source"):
        read_reported(written(tmp_path, "row,task,metric\n"))
    with pytest.raises(DataError, match="cannot be read as CSV"):
        read_reported(tmp_path / "absent.csv")
    binary = tmp_path / "b.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read as CSV"):
        read_reported(binary)


def test_what_a_suite_expects() -> None:
    first, second = from_expect({"A": {"sts.avg": 79, "source": "paper"}, "B": {"x.m": 1.5}, "C": {"source": "none"}})
    assert (first.name, first.source, first.values) == ("A", "paper", {"sts.avg": 79.0})
    assert second.source == "the suite's `expect`"
