"""A suite as one text, read again, is the same suite: for every shipped one, and for texts that look like numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalr_bench.suite.load import load
from dalr_bench.suite.read import read
from dalr_bench.suite.tree import plain
from dalr_bench.suite.written import written

SUITES = sorted((Path(__file__).parents[2] / "suites").rglob("*.yaml"))
SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False)
# `<<`, a merge key, is refused wherever it stands: no suite that was read holds one.
WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12).filter(
    lambda word: word != "<<"
)
VALUES: Any = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_every_shipped_suite_is_the_same_again(path: Path) -> None:
    tree = plain(load(path).tree)
    again, faults = read(written(tree, "a\nb").encode(), "again")
    assert faults == []
    assert plain(again) == tree


@given(st.dictionaries(WORDS, VALUES, min_size=1, max_size=4))
def test_whatever_it_holds(document: dict[str, Any]) -> None:
    again, faults = read(written(document).encode(), "again")
    assert faults == []
    assert plain(again) == document


def test_texts_that_look_like_numbers_stay_texts() -> None:
    document = {
        "a": "1e-3",
        "b": "null",
        "null": "yes",
        "c": 1e-05,
        "+CML": {"name": "x", "n": None},
        "d": {"e": {"f": []}},
    }
    text = written(document)
    assert plain(read(text.encode(), "x")[0]) == document
    assert '  e: {"f": []}' in text
    with pytest.raises(ValueError, match="not JSON compliant"):
        written({"a": float("nan")})
