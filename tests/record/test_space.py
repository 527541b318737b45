from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dalr_bench.errors import EXIT_SOME_FAILED
from dalr_bench.record.space import SpaceError, amount, check_space, free_bytes


def test_the_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    assert free_bytes(tmp_path / "a" / "b") == pytest.approx(free, rel=0.05)


def test_too_little_is_one_line_that_says_how_much(tmp_path: Path) -> None:
    check_space(tmp_path, 1, "crumbs")
    with pytest.raises(SpaceError, match=r"weights need 1000\.0 TB, .* are free; free some space") as caught:
        check_space(tmp_path, 10**15, "weights")
    assert caught.value.exit_code == EXIT_SOME_FAILED
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_340_000_000, "1.3 GB"), (2e15, "2000.0 TB")]
)
def test_amounts(count: float, text: str) -> None:
    assert amount(count) == text
