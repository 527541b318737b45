"""Which folder evaluation data comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from dalr_bench import DataError
from dalr_bench.data.paths import evaluation_data


def test_the_option_goes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DALR_BENCH_DATA", raising=False)
    assert evaluation_data() is None
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.setenv("DALR_BENCH_DATA", str(tmp_path / "a"))
    assert evaluation_data() == (tmp_path / "a").resolve()
    assert evaluation_data(str(tmp_path / "b")) == (tmp_path / "b").resolve()


@pytest.mark.parametrize("given", [True, False])
def test_a_folder_that_is_not_there_is_a_data_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    absent = str(tmp_path / "absent")
    monkeypatch.setenv("DALR_BENCH_DATA", absent)
    with pytest.raises(DataError, match="absent") as caught:
        evaluation_data(absent if given else None)
    assert caught.value.exit_code == 4
    assert ("--data" if given else "DALR_BENCH_DATA") in str(caught.value)
