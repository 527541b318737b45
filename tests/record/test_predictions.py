from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dalr_bench.errors import DataError
from dalr_bench.record.predictions import predictions_path, read_predictions, write_predictions
from dalr_bench.types import Predictions


def test_round_trip(tmp_path: Path) -> None:
    given = Predictions("STS12", np.array([0.1, 0.2], np.float32), np.array([1.0, 5.0]), ["a", "b"])
    write_predictions(tmp_path, given)
    found = read_predictions(tmp_path, "STS12")
    assert found.predicted.dtype == np.float32
    np.testing.assert_array_equal(found.predicted, given.predicted)
    np.testing.assert_array_equal(found.gold, given.gold)
    assert found.group == ["a", "b"]
    assert (tmp_path / "predictions" / "STS12.parquet").is_file()


def test_classes_and_no_groups(tmp_path: Path) -> None:
    write_predictions(tmp_path, Predictions("MR", np.array([0, 1]), np.array([1, 1])))
    found = read_predictions(tmp_path, "MR")
    assert found.group is None
    assert found.gold.tolist() == [1, 1]


@pytest.mark.parametrize("task", ["../../evil", "..", "a/b", "C:\\x", "é ü"])
def test_any_task_name_stays_in_its_folder(tmp_path: Path, task: str) -> None:
    write_predictions(tmp_path, Predictions(task, np.array([1.0]), np.array([1.0])))
    path = predictions_path(tmp_path, task)
    assert path.parent == tmp_path / "predictions"
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert read_predictions(tmp_path, task).task == task


def test_missing_and_damaged_files_are_data_faults(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="kept no predictions of STS12"):
        read_predictions(tmp_path, "STS12")
    path = predictions_path(tmp_path, "STS12")
    path.parent.mkdir()
    path.write_bytes(b"PAR1 half")
    with pytest.raises(DataError, match="predictions are damaged"):
        read_predictions(tmp_path, "STS12")
