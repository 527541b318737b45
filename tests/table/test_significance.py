from __future__ import annotations

from collections.abc import Sequence

from result_samples import records, summary

from dalr_bench.table.build import build
from dalr_bench.table.document import as_json, as_texts
from dalr_bench.table.model import Column, Request, Significance, Table


def table(p: dict[str, float | None], level: float = 0.05) -> Table:
    """STS12 of the sample, with given p-values of the best row against each other row's first run."""

    def told(pairs: Sequence[tuple[str, str]], column: Column) -> float | None:
        assert column.name == "STS12"
        return p.get(pairs[0][1].split("-")[0], 1.0)

    return build(summary(), records(), Request(tasks=["STS12"], significance=Significance(level, told)))


def marks(found: Table, group: int = 0) -> dict[str, str]:
    cells = {row.name: row.cells["STS12"] for row in found.groups[group].rows}
    return {name: "best" if cell.best else "second" if cell.second else "" for name, cell in cells.items()}


def test_rows_that_do_not_differ_share_the_bold_and_the_next_is_second() -> None:
    assert marks(table({"baseline": 0.01, "+CML": 0.3, "floor": 0.0001})) == {
        "floor": "", "baseline": "second", "+CML": "best", "DALR": "best",
    }  # fmt: skip


def test_holm_counts_the_rows_of_the_group() -> None:
    # Sorted .0001·3 = .0003, then .026·2 = .052: alone .026 would differ.
    assert marks(table({"baseline": 0.026, "+CML": 0.03, "floor": 0.0001})) == {
        "floor": "second", "baseline": "best", "+CML": "best", "DALR": "best",
    }  # fmt: skip
    # .024·2 = .048 differs, and .03·1 then stays at .048.
    assert marks(table({"baseline": 0.024, "+CML": 0.03, "floor": 0.0001})) == {
        "floor": "", "baseline": "", "+CML": "second", "DALR": "best",
    }  # fmt: skip


def test_what_cannot_be_tested_is_not_shown_to_be_worse() -> None:
    assert marks(table({"baseline": None, "+CML": 0.0001, "floor": 0.0001}))["baseline"] == "best"


def test_rows_without_a_number_stay_out() -> None:
    found = marks(table({"baseline": 0.0001, "+CML": 0.0001, "floor": 0.0001}), group=1)
    assert found["+CML"] == ""


def test_the_caption_says_what_bold_means() -> None:
    found = table({"baseline": 0.5, "+CML": 0.5, "floor": 0.5}, level=0.01)
    assert "not shown to differ" in as_texts(found)["marks"]
    assert "p ≥ 0.01" in as_texts(found)["marks"]
    assert as_json(found)["significance"] == 0.01
