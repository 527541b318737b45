"""Which run a cell is: by variant, axes and seed, and only when it is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from result_samples import write

from dalr_bench import DataError, SuiteError
from dalr_bench.publish.cell import pick


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return write(tmp_path / "pets")


def test_axes_choose_and_several_cells_are_not_guessed_between(pets: Path) -> None:
    assert pick(pets, "DALR", None, {"teacher": "two"}).record.run_id == "DALR-two-2"  # first of the suite's cells
    assert pick(pets, "DALR", 1, {"teacher": "two"}).record.run_id == "DALR-two-1"
    with pytest.raises(SuiteError, match="name one: --axis teacher=two; --axis teacher=one"):
        pick(pets, "DALR", None, {})
    with pytest.raises(SuiteError, match=r"--axis teacher=three: there is no such value. Known: one, two"):
        pick(pets, "DALR", None, {"teacher": "three"})
    with pytest.raises(SuiteError, match=r"--axis teach=one: there is no such axis. Did you mean 'teacher'"):
        pick(pets, "DALR", None, {"teach": "one"})


def test_cells_that_share_a_run_are_one_sibling(pets: Path) -> None:
    cell = pick(pets, "floor", None, {"teacher": "two"})
    assert cell.record.run_id == "floor"
    assert [record.run_id for record in cell.siblings] == ["floor"]


def test_what_is_not_done_is_told(pets: Path) -> None:
    with pytest.raises(DataError, match="is not done"):
        pick(pets, "+CML", 0, {"teacher": "two"})
    with pytest.raises(DataError, match="the loss is NaN"):
        pick(pets, "DALR", None, {"teacher": "one"})  # the first seed failed: no other is taken in its place
    assert len(pick(pets, "DALR", 0, {"teacher": "one"}).siblings) == 2  # of three, one failed
