"""Files as they are, and one clear line for those that are not as they should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from dalr_bench import DataError
from dalr_bench_plugins.senteval.files import check_count, columns, find_tree, label_in, number_in, read_rows, read_text


@pytest.mark.parametrize("place", ["downstream", "senteval/downstream", "other/downstream"])
def test_the_tree_is_found_in_the_folder_or_below_it(tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir(parents=True)
    assert find_tree(tmp_path) == tmp_path / place
    assert find_tree(tmp_path / place) == tmp_path / place


def test_no_tree_is_a_data_fault(tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        with pytest.raises(DataError, match="SentEval") as caught:
            find_tree(folder)
        assert caught.value.exit_code == 4


def test_text_is_decoded_and_its_newlines_made_one_kind(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes("caf\xe9\r\n\u2028x\n".encode())
    assert read_text(path) == "café\n\u2028x\n"
    assert read_rows(path) == ["café", "\u2028x"]
    path.write_bytes("caf\xe9\n".encode("latin-1"))
    assert read_rows(path, "latin-1") == ["café"]


@pytest.mark.parametrize(
    ("content", "what"), [(None, "cannot be read"), (b" \n", "is empty"), (b"a\nb\xff\n", "not utf-8")]
)
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes | None, what: str) -> None:
    path = tmp_path / "text"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=what) as caught:
        read_text(path)
    assert caught.value.faults[0].file == str(path)
    assert caught.value.faults[0].line == (2 if content == b"a\nb\xff\n" else 0)


def test_a_bad_field_is_named_by_line() -> None:
    path = Path("set.txt")
    assert columns("a\tb", 2, path, 1) == ["a", "b"]
    assert number_in("2.5", float, path, 1) == 2.5
    assert label_in("no", {"no": 0}, path, 1) == 0
    check_count(3, 3, "set", path)
    check_count(3, None, "set", path)
    for call in (
        lambda: columns("a\tb", 3, path, 7),
        lambda: number_in("x", float, path, 7),
        lambda: label_in("maybe", {"no": 0}, path, 7),
    ):
        with pytest.raises(DataError, match=r"^set\.txt:7: "):
            call()
    with pytest.raises(DataError, match=r"has 2 examples, the official one 3"):
        check_count(2, 3, "set", path)
