from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
from paired_samples import SEEDS, write
from report_samples import write_trained

from dalr_bench.comparison import Asked, compare
from dalr_bench.comparison import effects as judged
from dalr_bench.record.results import Results, read_results
from dalr_bench.report.build import build_report
from dalr_bench.report.effects import effects
from dalr_bench.table.build import build
from dalr_bench.table.model import Request, Table


def table_of(results: Results, baseline: str) -> Table:
    return build(results.summary, results.records, Request(baseline=baseline))


def test_three_seeds_by_hand(tmp_path: Path) -> None:
    """Differences 2, 1, 3: mean 2, std 1, so 2 ± 4.302653/√3, and p of t = 2√3 with two degrees is
    1 - t/√(t² + 2) = .0742."""
    results = read_results(write_trained(tmp_path / "pets"))
    found = effects(results, table_of(results, "baseline").columns, "baseline")
    one = found["+CML", "teacher: one", "STS12"]
    assert one.mean == pytest.approx(0.02)
    assert one.interval is not None
    assert (one.interval.low, one.interval.high) == pytest.approx((0.02 - 0.02484138, 0.02 + 0.02484138), abs=1e-6)
    assert one.p == pytest.approx(1 - math.sqrt(12 / 14), abs=1e-9)
    assert one.basis == "seeds"


def test_equal_differences_have_no_interval_and_the_baseline_no_difference(tmp_path: Path) -> None:
    """DALR has 73 and 74 where the baseline has 70 and 71: there is no spread to judge by."""
    results = read_results(write_trained(tmp_path / "pets"))
    found = effects(results, table_of(results, "baseline").columns, "baseline")
    assert found["DALR", "teacher: one", "STS12"].mean == pytest.approx(0.03)
    assert found["DALR", "teacher: one", "STS12"].interval is None
    assert not [key for key in found if key[0] == "baseline"]
    assert effects(results, table_of(results, "baseline").columns, None) == {}


def test_with_predictions_examples_are_drawn_too(tmp_path: Path) -> None:
    """The report says what `compare` says: seeds and examples, but for its fewer draws; without predictions, seeds."""
    folder = write(tmp_path / "s", {"STS12": 60, "STS-B": 80})
    results = read_results(folder)
    columns = table_of(results, "plain").columns
    found = effects(results, columns, "plain", judged(results))
    _, _, lines = compare(results, "better", "plain", Asked())
    assert len(lines) == 4
    assert {key[2] for key in found} == {line.column.name for line in lines}
    for line in lines:
        ours, theirs = found["better", "", line.column.name], line.difference
        assert ours.mean == theirs.mean
        assert ours.basis == "seeds and examples"
        assert ours.error == pytest.approx(theirs.error, rel=0.05)
        assert ours.interval is not None
        assert theirs.interval is not None
        width = theirs.interval.high - theirs.interval.low
        assert ours.interval.low == pytest.approx(theirs.interval.low, abs=0.05 * width)
        assert ours.interval.high == pytest.approx(theirs.interval.high, abs=0.05 * width)
    for seed in range(SEEDS):
        shutil.rmtree(folder / f"better-{seed}" / "predictions")
    bare = effects(read_results(folder), columns, "plain", judged(read_results(folder)))
    assert {one.basis for one in bare.values()} == {"seeds"}


def test_the_page_shows_what_an_effect_rests_on(tmp_path: Path) -> None:
    results = read_results(write(tmp_path / "s", {"STS12": 60, "STS-B": 80}))
    report = build_report(results, Request(baseline="plain"), judged(results))
    rows = [row for row in report.data["cells"].records() if row["variant"] == "better"]
    assert len(rows) == 4
    for row in rows:
        assert row["rests_on"] == "seeds and examples"
        assert row["low"] < row["delta"] < row["high"]
        assert 0 <= row["p"] <= 1
