from __future__ import annotations

from typing import Any

from dalr_bench.record.record import Record
from dalr_bench.report.curves import conflicts, curves, thin
from dalr_bench.report.model import Run


def run(*steps: dict[str, Any], name: str = "a", dev: Any = None) -> Run:
    record = None if dev is None else Record(name, "s", "v", 0, extra={"dev_curve": dev})
    return Run(name, "v", 0, ("",), "row", "done", record=record, steps=steps)


def test_every_term_is_a_curve_in_a_readable_order() -> None:
    lines = [
        {"step": s, "loss": 2.0, "pull": 1.0, "grad_norm": 3.0, "rate": 0.1, "push": 0.5, "seconds": 9.0}
        for s in (1, 2)
    ]
    found = curves([run(*lines, dev=[{"step": 2, "value": 0.25}])])
    assert found.distinct("term") == ["dev score", "loss", "pull", "push", "grad_norm", "rate"]
    assert found.rows[0] == ("a", "dev score", 2, 25.0)
    assert len(found.rows) == 11


def test_what_is_not_a_number_is_not_drawn() -> None:
    lines = [
        {"step": 1, "loss": None, "name": "x", "flag": True},
        {"step": 2, "loss": float("nan")},
        {"step": 3, "loss": 1.0},
    ]
    assert list(curves([run(*lines, dev="broken")]).rows) == [("a", "loss", 3, 1.0)]
    assert list(curves([run(dev=[{"step": 1}, 7])]).rows) == []


def test_thinning_keeps_means() -> None:
    points = [(step, float(step)) for step in range(1, 8)]
    assert thin(points, 7) == points
    assert thin(points, 3) == [(2, 2.0), (5, 5.0), (7, 7.0)]
    weighted = sum(value * weight for (_, value), weight in zip(thin(points, 3), (3, 3, 1), strict=True))
    assert weighted == sum(value for _, value in points)


def test_many_runs_stay_small() -> None:
    lines = [{"step": s, **{f"t{k}": float(s) for k in range(8)}} for s in range(1, 400)]
    found = curves([run(*lines, name=f"r{k}") for k in range(100)])
    assert 20 * 800 <= len(found.rows) <= 60_000


def test_cosines_are_no_terms() -> None:
    lines = [{"step": s, "loss": 1.0, "cosine(pull, push)": -0.5} for s in (1, 2)]
    assert curves([run(*lines)]).distinct("term") == ["loss"]
    assert list(conflicts([run(*lines)]).rows) == [
        ("a", "cosine(pull, push)", 1, -0.5),
        ("a", "cosine(pull, push)", 2, -0.5),
    ]
