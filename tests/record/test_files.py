from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import IO

import pytest

from dalr_bench.record.files import load_json, write_bytes, write_json, write_text, write_whole


def test_what_is_written_is_there(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b" / "x.bin", b"\x00\r\n")
    write_text(tmp_path / "x.txt", "é\r\n")
    write_json(tmp_path / "x.json", {"é": [1, None]})
    assert (tmp_path / "a" / "b" / "x.bin").read_bytes() == b"\x00\r\n"
    assert (tmp_path / "x.txt").read_bytes() == "é\r\n".encode()
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"é": [1, None]}
    assert (tmp_path / "x.json").read_text(encoding="utf-8").endswith("\n")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "x", "old")

    def half(file: IO[bytes]) -> None:
        file.write(b"new but")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "x", half)
    assert (tmp_path / "x").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_others_may_read(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "x", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a": 1', "half-written at line 1, column 8"),
        (b"", "half-written at line 1, column 1"),
        (b"\xff\xfe", "damaged"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\x80abc", "is not text"),
    ],
)
def test_damage_is_one_line(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(ValueError, match=r"x\.json") as caught:
        load_json(tmp_path / "x.json")
    if data != b"\xff\xfe":
        assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["NaN", "[1, Infinity]", '{"a": -Infinity}'])
def test_what_json_has_not_is_damage(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match="is no number of JSON"):
        load_json(tmp_path / "a.json")


def test_a_folder_in_its_place_is_damage_and_a_file_above_it_means_it_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(ValueError, match="cannot be read"):
        load_json(tmp_path / "a.json")
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileNotFoundError):
        load_json(tmp_path / "file" / "a.json")
