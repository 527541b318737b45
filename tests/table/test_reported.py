from __future__ import annotations

from pathlib import Path

import pytest

from dalr_bench.errors import DataError
from dalr_bench.table.reported import find_reported, from_expect, packaged, read_reported

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


def test_packaged_rows_by_name_a_file_before_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, path = next(iter(packaged().items()))
    assert find_reported(name) == path
    assert path.suffix == ".csv"
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(HEAD)
    assert find_reported(name) == Path(name)
    assert find_reported("absent.csv") == Path("absent.csv")
    with pytest.raises(DataError, match=f"Did you mean '{name}'"):
        find_reported(f"{name}x")


def test_a_strangers_plugin_brings_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "strangers_rows"
    (package / "reported").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('looking for rows imports nothing')")
    (package / "reported" / "theirs.csv").write_text(HEAD + "A,x,m,1,s,,\n")
    info = tmp_path / "strangers_rows-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers-rows\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[dalr_bench]\nstrangers_rows = strangers_rows\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    packaged.cache_clear()
    try:
        assert read_reported(find_reported("theirs"))[0].values == {"x.m": 1}
    finally:
        packaged.cache_clear()
