"""Tables that `datasets` reads, in every local form; what is wrong with one is told in a line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

from dalr_bench import DataError
from dalr_bench.plugin.manager import load
from dalr_bench.types import Corpus, Part
from dalr_bench_plugins.sources.hf_dataset import HfDataset

ROWS = [
    {"text": "a dog runs", "good": "a hound runs", "bad": "a cat sleeps"},
    {"text": " two red balls ", "good": "a pair of balls", "bad": "one stone"},
    {"text": "rain", "good": "it rains", "bad": "sun"},
]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    datasets.disable_progress_bars()


def source(**options: Any) -> HfDataset:
    """As a suite builds it."""
    made: HfDataset = load(frozenset({"source"})).catalogue.build("source", Part("hf_dataset", options))
    return made


def written(form: str, folder: Path) -> Path:
    table = datasets.Dataset.from_list(ROWS)
    path = folder / f"table.{form}"
    if form == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    elif form in ("csv", "tsv"):
        table.to_csv(path, index=False, sep="\t" if form == "tsv" else ",")
    elif form == "parquet":
        table.to_parquet(path)
    elif form == "folder":
        path.mkdir()
        table.select([0, 1]).to_parquet(path / "part-0.parquet")
        table.select([2]).to_parquet(path / "part-1.parquet")
    elif form == "saved":
        table.save_to_disk(path)
    elif form == "dict":
        datasets.DatasetDict({"train": table}).save_to_disk(path)
    return path


@pytest.mark.parametrize("form", ["jsonl", "csv", "tsv", "parquet", "folder", "saved", "dict"])
def test_one_content_in_every_form(form: str, tmp_path: Path) -> None:
    corpus = source(path=str(written(form, tmp_path)), columns={"positive": "good", "negative": "bad"}).load()
    assert corpus.sentences == ["a dog runs", "two red balls", "rain"]
    assert corpus.columns == {"positive": [row["good"] for row in ROWS], "negative": [row["bad"] for row in ROWS]}
    assert (corpus.image_of, corpus.images) == (None, None)
    same = source(path=str(written("jsonl", tmp_path)), columns={"positive": "good", "negative": "bad"}).load()
    assert corpus.fingerprint == same.fingerprint
    other = source(path=str(tmp_path / "table.jsonl"), columns={"positive": "bad", "negative": "good"}).load()
    assert corpus.fingerprint != other.fingerprint


def test_lines_splits_and_limits(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("one\ntwo\nthree\nfour\n")
    path = str(tmp_path / "lines.txt")
    assert source(path=path).load().sentences == ["one", "two", "three", "four"]
    assert source(path=path, limit=3).load().sentences == ["one", "two", "three"]
    assert source(path=path, split="train[1:3]").load().sentences == ["two", "three"]


def pictured(folder: Path, **changed: Any) -> tuple[Corpus, list[np.ndarray[Any, Any]]]:
    pixels = [np.full((4, 6, 3), 40 * number, dtype=np.uint8) for number in range(2)]
    encoded = []
    for array in pixels:
        buffer = io.BytesIO()
        Image.fromarray(array).save(buffer, "png")
        encoded.append({"bytes": buffer.getvalue(), "path": None})
    rows = {"captions": [["a dark square", "nothing"], ["a grey square"]], "photo": encoded, **changed}
    table = datasets.Dataset.from_dict(rows).cast_column("photo", datasets.Image())
    table.to_parquet(folder / "pictures.parquet")
    return source(path=str(folder / "pictures.parquet"), column="captions", image="photo").load(), pixels


def test_pictures_and_their_captions(tmp_path: Path) -> None:
    corpus, pixels = pictured(tmp_path)
    assert corpus.sentences == ["a dark square", "nothing", "a grey square"]
    assert corpus.image_of == [0, 0, 1]
    assert corpus.images is not None
    assert len(corpus.images) == 2
    for number, array in enumerate(pixels):
        assert corpus.images[number].mode == "RGB"
        assert np.array_equal(np.asarray(corpus.images[number]), array)


def test_pictures_count_toward_the_name(tmp_path: Path) -> None:
    first, _ = pictured(tmp_path)
    (tmp_path / "other").mkdir()
    buffer = io.BytesIO()
    Image.new("RGB", (4, 6), (9, 9, 9)).save(buffer, "png")
    second, _ = pictured(tmp_path / "other", photo=[{"bytes": buffer.getvalue(), "path": None}] * 2)
    assert first.sentences == second.sentences
    assert first.fingerprint != second.fingerprint


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "give either `path` (local files) or `dataset`"),
        ({"path": "x", "dataset": "y"}, "give either"),
        ({"path": "nowhere.jsonl"}, "nowhere.jsonl: no such file or folder"),
        ({"path": "notes.doc"}, "'.doc' is no form that is read here"),
        ({"path": "empty"}, "no file in this folder that is read here: .arrow, .csv,"),
        ({"path": "rows.jsonl", "column": "txet"}, "there is no column 'txet'. Did you mean 'text'?"),
        ({"path": "rows.jsonl", "image": "photo"}, "there is no column 'photo'. Known:"),
        ({"path": "rows.jsonl", "column": "number"}, "row 0, column 'number': expected a sentence, got '1'"),
        ({"path": "rows.jsonl", "column": "blank"}, "row 1, column 'blank': expected a sentence"),
        ({"path": "broken.jsonl"}, "broken.jsonl: cannot be read:"),
        ({"dataset": "nobody/nothing"}, "nobody/nothing: cannot be read:"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(
    options: dict[str, Any], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.doc").write_text("x")
    rows = [{"text": "a", "number": 1, "blank": "x"}, {"text": "b", "number": 2, "blank": " "}]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "broken.jsonl").write_text("{not json\n")
    with pytest.raises(DataError) as error:
        source(**options).load()
    assert told in str(error.value)
    assert len(str(error.value).splitlines()) == 1
