"""A folder of photos with captions.jsonl."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from photos import captions_of, fault_of, write_json_lines, write_photos

from dalr_bench_plugins.sources.captions import Captions


@pytest.fixture
def album(tmp_path: Path) -> Path:
    names = write_photos(tmp_path / "images", 3)
    rows: list[dict[str, Any]] = [{"image": f"images/{name}", "captions": captions_of(name)} for name in names]
    for row, split in zip(rows, ("train", "train", "val"), strict=True):
        row["split"] = split
    write_json_lines(tmp_path / "captions.jsonl", rows)
    return tmp_path


def spoil(album: Path, line: int, text: str) -> Path:
    path = album / "captions.jsonl"
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines) + "\n")
    return path


def test_photos_and_captions(album: Path) -> None:
    corpus = Captions(str(album), per_image=2).load()
    assert len(corpus.sentences) == 6
    assert list(corpus.image_of or ()) == [0, 0, 1, 1, 2, 2]
    assert corpus.images is not None
    assert corpus.images[1].size == (9, 6)


def test_split_limit_and_one(album: Path) -> None:
    assert list(Captions(str(album), split="val").load().sentences) == captions_of("102.jpg")
    assert len(Captions(str(album), captions="one", limit=2).load().sentences) == 2
    assert fault_of(lambda: Captions(str(album), split="test").load()) == (
        f"{album}/captions.jsonl:1: no captioned photo in it with split 'test'"
    )


def test_text_alone_needs_no_photo(album: Path) -> None:
    (album / "images" / "101.jpg").unlink()
    assert "2: no photo at" in fault_of(lambda: Captions(str(album)).load())
    corpus = Captions(str(album), photos=False).load()
    assert corpus.images is None
    assert list(corpus.image_of or ()) == [0, 0, 1, 1, 2, 2]


def test_gzipped_captions(album: Path) -> None:
    plain = Captions(str(album)).load().fingerprint
    path = album / "captions.jsonl"
    (album / "captions.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert Captions(str(album)).load().fingerprint == plain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"image": "images/101.jpg", "captions": ["a", " "]}', "2: caption 2 is empty"),
        ('{"image": "images/101.jpg", "captions": ["a"]}', "2: 1 caption, expected 2"),
        ('{"image": "images/999.jpg", "captions": ["a", "b"]}', "2: no photo at"),
        ('{"image": "images/101.jpg"}', '2: expected {"image": "FILE", "captions"'),
        ('{"image": "images/101.jpg", "captions": "a"}', '2: expected {"image": "FILE", "captions"'),
        ('{"image": 3, "captions": ["a", "b"]}', '2: expected {"image": "FILE", "captions"'),
        ('{"image": "images/101.jpg", "captions": ["a"', "2:45: not JSON"),
    ],
)
def test_a_wrong_line_is_named(album: Path, text: str, said: str) -> None:
    path = spoil(album, 2, text)
    assert fault_of(lambda: Captions(str(album), per_image=2).load()).startswith(f"{path}:{said}")


def test_no_folder(tmp_path: Path) -> None:
    assert fault_of(lambda: Captions(str(tmp_path / "no")).load()) == f"{tmp_path}/no/captions.jsonl: no such file"


def test_real_photos(shared: Path) -> None:
    corpus = Captions(str(shared / "data" / "captions" / "coco_cc"), per_image=5).load()
    assert (len(corpus.sentences), len(corpus.images or ())) == (985, 197)
    assert corpus.images is not None
    assert corpus.images[196].size == (224, 224)


def test_real_text_without_photos(shared: Path) -> None:
    corpus = Captions(str(shared / "data" / "captions" / "flickr30k_text"), photos=False, per_image=5).load()
    assert (len(corpus.sentences), max(corpus.image_of or ())) == (31014 * 5, 31013)
