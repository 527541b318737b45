"""Cost columns, worked out by hand: unknown is a dash, never a zero."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from result_samples import records, summary

from dalr_bench.record.record import Record
from dalr_bench.table.build import build
from dalr_bench.table.costs import cost, cost_columns
from dalr_bench.table.model import Request
from dalr_bench.table.render import FORMATS, render
from dalr_bench.table.terminal import terminal

STAGES = {
    "train": {"seconds": 8.0, "cpu_seconds": 7.0, "gpu_seconds": None, "joules": 1500.0, "peak_bytes": 4_000_000},
    "score": {"seconds": 2.0, "cpu_seconds": 1.5, "gpu_seconds": None, "joules": 500.0, "peak_bytes": 5_000_000},
}


def step(ms: float | None, peak: int | None) -> dict[str, float | None]:
    return {"ms_per_step": ms, "forward_ms": ms, "backward_ms": 0.0, "peak_bytes": peak, "joules_per_step": None}


def with_costs() -> dict[str, Record]:
    """The sample's records; DALR has a term more, and one of its seeds could not be timed."""
    out = {}
    for run, record in records().items():
        seed = record.seed
        costs: dict[str, Any] = {
            **STAGES,
            "step": step(10.0 + seed, 9_000_000),
            "losses.info": step(1.0 + seed, 2_000_000),
        }
        if record.variant == "DALR":
            costs["losses.rank"] = step(None if seed == 1 else 0.5, 250_000)
        out[run] = replace(record, extra={"costs": costs, "bytes": {"peak": 5_000_000}})
    return out


def test_a_loss_called_like_a_part_of_a_step_has_columns_of_its_own() -> None:
    record = replace(records()["floor"], extra={"costs": {"step": step(10.0, 1), "losses.step": step(2.0, 3_000_000)}})
    columns = cost_columns([record])
    assert [column.name for column in columns] == ["seconds", "step ms", "losses.step ms", "step MB"]
    assert [cost(record, column) for column in columns[1:]] == [10.0, 2.0, 3.0]


def test_columns_are_what_some_run_knows() -> None:
    names = [column.name for column in cost_columns(list(with_costs().values()))]
    assert names == ["seconds", "CPU s", "kJ", "peak MB", "step ms", "info ms", "info MB", "rank ms", "rank MB"]
    assert [column.name for column in cost_columns(list(records().values()))] == ["seconds"]
    on_gpu = {part: {**each, "gpu_seconds": each["seconds"]} for part, each in STAGES.items()}
    known = replace(records()["floor"], extra={"costs": on_gpu})
    assert [column.name for column in cost_columns([known])] == ["seconds", "CPU s", "GPU s", "kJ"]


def test_numbers_are_sums_of_stages_and_means_over_seeds() -> None:
    found = build(summary(), with_costs(), Request(cost=True))
    rows = {row.name: row.cells for group in found.groups if group.label == "teacher: one" for row in group.rows}
    baseline, ours = rows["baseline"], rows["DALR"]
    assert baseline["CPU s"].mean == pytest.approx(8.5)
    assert baseline["kJ"].mean == pytest.approx(2.0)
    assert baseline["peak MB"].mean == pytest.approx(5.0)
    assert baseline["step ms"].mean == pytest.approx(11.0)  # 10, 11, 12
    assert baseline["info ms"].mean == pytest.approx(2.0)
    assert baseline["info MB"].mean == pytest.approx(2.0)
    assert (ours["rank ms"].mean, ours["rank ms"].n, ours["rank ms"].of) == (0.5, 1, 3)  # one untimed, one failed
    assert (ours["rank MB"].mean, ours["rank MB"].n) == (0.25, 2)
    assert (baseline["rank ms"].mean, baseline["rank ms"].note) == (None, "")


def test_unknown_is_never_zero() -> None:
    half = {"train": {**STAGES["train"]}, "score": {**STAGES["score"], "joules": None}}
    record = replace(records()["floor"], extra={"costs": half, "bytes": {"peak": "much"}})
    columns = {
        column.name: column for column in cost_columns([replace(record, extra={"costs": STAGES, "bytes": {"peak": 1}})])
    }
    assert cost(record, columns["kJ"]) is None
    assert cost(record, columns["peak MB"]) is None
    assert cost(record, columns["CPU s"]) == pytest.approx(8.5)


@pytest.mark.parametrize(
    "costs", [None, [], "x", {"train": 3}, {"train": {"seconds": "x"}}, {"train": {"seconds": float("nan")}}]
)
def test_what_is_no_cost_is_not_read_as_one(costs: Any) -> None:
    record = replace(records()["floor"], extra={"costs": costs})
    assert [column.name for column in cost_columns([record])] == ["seconds"]
    assert not any(record.spent.values())


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "terminal"])
def test_every_format_prints_them(name: str) -> None:
    text = render(build(summary(), with_costs(), Request(cost=True)), name)
    for head in ("CPU s", "peak MB", "info ms", "rank MB"):
        assert head in text, head
    assert "11.00" in text or "11.0" in text
    if name == "json":
        data = json.loads(text)
        cells = next(row["cells"] for row in data["rows"] if row["name"] == "DALR" and row["group"] == "teacher: one")
        assert cells["rank ms"]["mean"] == 0.5
        assert next(row for row in data["rows"] if row["name"] == "baseline")["cells"]["rank ms"] is None


def test_the_terminal_prints_them_and_says_what_they_are() -> None:
    text = terminal(build(summary(), with_costs(), Request(cost=True)), None, False)
    assert "rank ms" in text
    assert "ms and a term's MB a training step" in text
