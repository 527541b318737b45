from __future__ import annotations

import json

import pytest
from result_samples import records, summary

from dalr_bench.table.build import build
from dalr_bench.table.document import as_json, as_lines, as_texts, number, spans
from dalr_bench.table.model import Column, Request, Table

COLUMNS = [Column(name, name, "", (name, "m", None, "test")) for name in "abcdef"]


def sample(baseline: str | None = None) -> Table:
    return build(summary(), records(), Request(baseline=baseline))


@pytest.mark.parametrize(
    ("names", "text"),
    [("abcdef", "all columns"), ("abc", "a–c"), ("ab", "a, b"), ("acdef", "a, c–f"), ("bdf", "b, d, f"), ("f", "f")],
)
def test_neighbours_are_named_by_their_ends(names: str, text: str) -> None:
    assert spans(list(names), COLUMNS) == text


def test_one_column_is_named() -> None:
    assert spans(["a"], COLUMNS[:1]) == "a"


@pytest.mark.parametrize(
    ("value", "text"), [(72.365, "72.36"), (72.366, "72.37"), (-0.001, "0.00"), (100, "100.00"), (-2.7, "-2.70")]
)
def test_two_decimals(value: float, text: str) -> None:
    assert number(value) == text


def test_signs_of_differences() -> None:
    assert [number(value, sign=True) for value in (1.5, 0, -0.001, -1.5)] == ["+1.50", "+0.00", "+0.00", "-1.50"]


def test_the_document_is_json_and_texts_are_plain() -> None:
    assert json.loads(json.dumps(as_json(sample("baseline")))) == as_json(sample("baseline"))
    assert json.loads(json.dumps(as_texts(sample("baseline")))) == as_texts(sample("baseline"))


def test_equal_numbers_of_pairs_are_said_once() -> None:
    texts = as_texts(sample("baseline"))
    assert texts["difference"] == ("Δ: mean difference to baseline, paired by seed, ± its sample standard deviation.")
    assert texts["groups"][0]["rows"][3]["cells"][0]["delta"] == {"mean": "+3.00", "std": "0.00", "count": "n=2"}
    made = {run: record for run, record in records().items() if run != "DALR-one-2" and not run.startswith("DALR-one")}
    texts = as_texts(build(summary(), made, Request(baseline="baseline")))
    assert "paired by seed (n = 3)" in texts["difference"]
    assert texts["groups"][0]["rows"][2]["cells"][0]["delta"]["count"] == ""


def test_labels_are_fit_for_a_reference() -> None:
    assert as_texts(sample())["label"] == "tab:pets"


def test_lines_have_one_width() -> None:
    for baseline, fields in ((None, 3), ("baseline", 6)):
        lines = as_lines(sample(baseline))
        assert {len(line) for line in lines} == {5 + 2 * fields + 1}
