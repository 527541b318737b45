"""Triplets of anchor, positive and hard negative."""

from __future__ import annotations

from pathlib import Path

import pytest
from photos import fault_of

from dalr_bench_plugins.sources.nli import NLITriplets

TEXT = 'sent0,sent1,hard_neg\nA man plays.,"Someone, a man, plays.",Nobody plays.\nTwo dogs,Animals,One cat\n'


def write(folder: Path, text: str = TEXT) -> str:
    path = folder / "nli.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_rows_stay_together(tmp_path: Path) -> None:
    corpus = NLITriplets(write(tmp_path)).load()
    assert list(corpus.sentences) == ["A man plays.", "Two dogs"]
    assert {role: list(column) for role, column in corpus.columns.items()} == {
        "positive": ["Someone, a man, plays.", "Animals"],
        "negative": ["Nobody plays.", "One cat"],
    }


def test_pairs_columns_and_limit(tmp_path: Path) -> None:
    assert set(NLITriplets(write(tmp_path), negative=None).load().columns) == {"positive"}
    renamed = write(tmp_path, TEXT.replace("sent0", "premise"))
    assert len(NLITriplets(renamed, anchor="premise", limit=1).load().sentences) == 1


def test_fingerprint_covers_every_column(tmp_path: Path) -> None:
    first = NLITriplets(write(tmp_path)).load().fingerprint
    assert first != NLITriplets(write(tmp_path, TEXT.replace("One cat", "A cat"))).load().fingerprint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEXT.replace("hard_neg", "neg"), "1: the header has no column hard_neg; it has sent0, sent1, neg"),
        (TEXT.replace("Animals", " "), "3: column sent1 is empty"),
        (TEXT.replace(",One cat", ""), "3: a row of another length"),
        ("sent0,sent1,hard_neg\n", "1: no triplet in it"),
    ],
)
def test_faults(text: str, said: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    assert fault_of(lambda: NLITriplets(path).load()).startswith(f"{path}:{said}")
