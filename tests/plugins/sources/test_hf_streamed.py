"""Tables in shards: every local form streamed as it is read whole; what is wrong with a shard is told with its name and row."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from PIL import Image

from dalr_bench import DataError, Shards
from dalr_bench.plugin.manager import load
from dalr_bench.types import Part
from dalr_bench_plugins.sources.hf_dataset import HfDataset

# A csv that is left in the middle is closed by the library when its reader is collected, not before.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ROWS = [{"text": f"sentence number {n}", "good": f"like sentence {n}"} for n in range(23)]
CUTS = [(0, 9), (9, 10), (10, 23)]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    datasets.disable_progress_bars()


def source(**options: Any) -> HfDataset:
    """As a suite builds it."""
    made: HfDataset = load(frozenset({"source"})).catalogue.build("source", Part("hf_dataset", options))
    return made


def streamed(**options: Any) -> Shards:
    found = source(streaming=True, **options).shards()
    assert found is not None
    return found


def rows(shards: Shards) -> list[str]:
    return [text for number in range(len(shards.names)) for sample in shards.read(number) for text in sample.sentences]


Table = Any


def _jsonl(table: Table, path: Path) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in table))


def _arrow(table: Table, path: Path) -> None:
    with datasets.arrow_writer.ArrowWriter(path=str(path), features=table.features) as writer:
        for row in table:
            writer.write(row)
        writer.finalize()


WRITE: dict[str, Callable[[Table, Path], Any]] = {
    "jsonl": _jsonl,
    "json": lambda table, path: path.write_text(json.dumps(list(table))),
    "csv": lambda table, path: table.to_csv(path, index=False),
    "tsv": lambda table, path: table.to_csv(path, index=False, sep="\t"),
    "parquet": lambda table, path: table.to_parquet(path),
    "arrow": _arrow,
}


def folder_of(form: str, place: Path) -> Path:
    table = datasets.Dataset.from_list(ROWS)
    place.mkdir()
    (place / "README.md").write_text("A card is no table.\n")
    for number, (first, last) in enumerate(CUTS):
        WRITE[form](table.select(range(first, last)), place / f"part-{number}.{form}")
    return place


@pytest.mark.parametrize("form", sorted(WRITE))
def test_a_folder_of_one_form_streams_what_it_is_read_as(form: str, tmp_path: Path) -> None:
    place = folder_of(form, tmp_path / "table")
    whole = source(path=str(place), columns={"positive": "good"}).load()
    assert list(whole.sentences) == [row["text"] for row in ROWS]
    found = streamed(path=str(place), columns={"positive": "good"})
    assert rows(found) == whole.sentences
    assert [len(list(found.read(number))) for number in range(3)] == [9, 1, 13]
    assert [sample.columns["positive"] for sample in found.read(1)] == [["like sentence 9"]]
    assert found.rows == (23 if form == "parquet" else None)
    assert rows(streamed(path=str(place / f"part-2.{form}"))) == whole.sentences[10:]


@pytest.mark.parametrize("split", [None, "train", "other"])
def test_what_save_to_disk_wrote(split: str | None, tmp_path: Path) -> None:
    table = datasets.Dataset.from_list(ROWS)
    if split is None:
        table.save_to_disk(tmp_path / "saved", num_shards=3)
    else:
        datasets.DatasetDict({split: table}).save_to_disk(tmp_path / "saved", num_shards={split: 3})
    options = {"path": str(tmp_path / "saved"), "split": split or "train"}
    found = streamed(**options)
    assert len(found.names) == 3
    assert rows(found) == list(source(**options).load().sentences) == [row["text"] for row in ROWS]


def test_a_data_set_as_the_library_cuts_it(tmp_path: Path) -> None:
    place = folder_of("parquet", tmp_path / "table")
    found = streamed(dataset=str(place))
    assert len(found.names) == 3
    assert sorted(rows(found)) == sorted(row["text"] for row in ROWS)
    assert rows(found) == rows(found)


def test_captions_of_a_picture(tmp_path: Path) -> None:
    def picture(number: int) -> dict[str, Any]:
        out = io.BytesIO()
        Image.new("RGB", (4, 4), (50 * number, 0, 0)).save(out, "PNG")
        return {"bytes": out.getvalue(), "path": None}

    table = [{"captions": [f"one {n}", f"two {n}"], "photo": picture(n)} for n in range(4)]
    features = datasets.Features({"captions": datasets.List(datasets.Value("string")), "photo": datasets.Image()})
    datasets.Dataset.from_list(table, features=features).to_parquet(tmp_path / "t.parquet")
    found = streamed(path=str(tmp_path / "t.parquet"), column="captions", image="photo")
    assert found.pictures
    assert found.rows is None  # how many captions a record has is not known before it is read
    samples = list(found.read(0))
    assert [list(sample.sentences) for sample in samples] == [[f"one {n}", f"two {n}"] for n in range(4)]
    assert [sample.picture for sample in samples] == [row["photo"]["bytes"] for row in table]


def test_an_identity_counts_the_files_of_a_stream(tmp_path: Path) -> None:
    def counted(path: Path, streaming: bool = True) -> dict[str, Any]:
        return HfDataset.identity({"path": str(path), "streaming": streaming, "split": "train", "dataset": None})

    one = folder_of("jsonl", tmp_path / "one")
    two = folder_of("jsonl", tmp_path / "two")
    assert counted(one) == counted(two)
    assert [name for name, _ in counted(one)["path"]] == ["part-0.jsonl", "part-1.jsonl", "part-2.jsonl"]
    assert counted(one, streaming=False) == {}
    (two / "part-1.jsonl").write_text('{"text": "another", "good": "one"}\n')
    assert counted(one) != counted(two)


def _cut(place: Path) -> None:
    path = place / "part-2.parquet"
    path.write_bytes(path.read_bytes()[:-40])


def _no_file(place: Path) -> None:
    datasets.Dataset.from_list(ROWS).save_to_disk(place / "saved", num_shards=2)
    next((place / "saved").glob("data-00001*.arrow")).unlink()


@pytest.mark.parametrize(
    ("form", "spoil", "options", "said"),
    [
        ("parquet", _cut, {}, "part-2.parquet: cannot be read"),
        (
            "jsonl",
            lambda p: (p / "part-1.jsonl").write_text('{"text": "a"\n{"x"\n'),
            {},
            "part-1.jsonl: cannot be read",
        ),
        ("json", lambda p: (p / "part-1.json").write_text('[{"text": "a"'), {}, "part-1.json: cannot be read"),
        (
            "jsonl",
            lambda p: (p / "part-1.jsonl").write_text('{"text": " "}\n'),
            {},
            "part-1.jsonl: row 0, column 'text'",
        ),
        (
            "csv",
            lambda p: (p / "part-0.csv").write_text("text,good\na,b\n,c\n"),
            {},
            "part-0.csv: row 1, column 'text'",
        ),
        (
            "csv",
            lambda p: (p / "x.parquet").write_text(""),
            {},
            "holds files of several forms (.csv, .parquet); name one",
        ),
        ("jsonl", lambda p: None, {"column": "txet"}, "part-0.jsonl: there is no column 'txet'. Did you mean 'text'?"),
        ("jsonl", lambda p: None, {"columns": {"p": "godo"}}, "part-0.jsonl: there is no column 'godo'. Did you mean"),
        ("jsonl", _no_file, {"path": "saved"}, "data-00001-of-00002.arrow: no such shard"),
        ("jsonl", lambda p: None, {"path": "nowhere"}, "nowhere: no such file or folder"),
        ("jsonl", lambda p: None, {"limit": 3}, "streaming reads whole shards; leave out `limit`"),
        ("jsonl", lambda p: None, {"split": "train[:3]"}, "streaming reads whole shards"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(
    form: str, spoil: Callable[[Path], Any], options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    place = folder_of(form, tmp_path / "table")
    spoil(place)
    given = {"path": str(place), **options}
    given["path"] = str(place / given["path"])
    with pytest.raises(DataError) as caught:
        rows(streamed(**given))
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_split_that_was_not_saved(tmp_path: Path) -> None:
    datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS)}).save_to_disk(tmp_path / "saved")
    for streaming in (True, False):
        made = source(path=str(tmp_path / "saved"), split="trian", streaming=streaming)
        with pytest.raises(DataError, match=r"there is no split 'trian'\. Did you mean 'train'"):
            _ = made.shards() if streaming else made.load()
