"""By which score a checkpoint is chosen."""

from __future__ import annotations

import math

import pytest

from dalr_bench.errors import SuiteError, TrainingError
from dalr_bench.job import _dev_score
from dalr_bench.types import Score


def test_the_first_score_of_a_dev_split_is_the_one() -> None:
    first, second = (Score("STS-B", "spearman", value, 10, split="dev") for value in (0.2, 0.9))
    assert _dev_score([first, second], "sts") is first


def test_a_test_split_or_no_score_chooses_nothing() -> None:
    with pytest.raises(SuiteError, match="'sts' scores a test split"):
        _dev_score([Score("STS-B", "spearman", 0.2, 10, split="test")], "sts")
    with pytest.raises(SuiteError, match="'sts' gave no score"):
        _dev_score([], "sts")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_chooses_nothing(value: float) -> None:
    """Nothing is larger than nan: the first check would have stayed the best one, and no record can hold it."""
    with pytest.raises(TrainingError, match=f"'quiz' gave {value} for Q: nothing can be chosen by it"):
        _dev_score([Score("Q", "points", value, 3, split="dev")], "quiz")
