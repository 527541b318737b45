"""KDMCSE's JSON of captions and features."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from photos import captions_of, fault_of, write_photos

from dalr_bench_plugins.sources.kdmcse import KDMCSE


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    names = write_photos(tmp_path / "photos", 3)
    return {
        name.removesuffix(".jpg"): {
            "image": name,
            "captions": captions_of(name),
            "image_feat": [0.1, 0.2],
            "lang_feat": [[1.0, 2.0], [3.0, 4.0]],
        }
        for name in names
    }


def write(folder: Path, document: Any) -> Path:
    path = folder / "flickr30k_ViT_L14.json"
    path.write_text(json.dumps(document, indent=1))
    return path


def test_captions_in_the_files_order(tmp_path: Path, document: dict[str, Any]) -> None:
    corpus = KDMCSE(str(write(tmp_path, document))).load()
    assert list(corpus.sentences[2:4]) == captions_of("101.jpg")
    assert list(corpus.image_of or ()) == [0, 0, 1, 1, 2, 2]
    assert corpus.images is None


def test_photos_one_caption_and_limit(tmp_path: Path, document: dict[str, Any]) -> None:
    path = str(write(tmp_path, document))
    corpus = KDMCSE(path, photos=str(tmp_path / "photos"), captions="one", limit=2).load()
    assert (len(corpus.sentences), len(corpus.images or ())) == (2, 2)


def test_faults_have_the_entrys_line(tmp_path: Path, document: dict[str, Any]) -> None:
    document["101"]["captions"] = []
    path = write(tmp_path, document)
    line = 1 + next(n for n, text in enumerate(path.read_text().splitlines()) if '"101":' in text)
    assert fault_of(lambda: KDMCSE(str(path)).load()) == f"{path}:{line}: a photo without a caption"
    assert len(KDMCSE(str(path), skip_bare=True).load().sentences) == 4
    document["101"]["captions"] = ["a", ""]
    write(tmp_path, document)
    assert fault_of(lambda: KDMCSE(str(path)).load()) == f"{path}:{line}: caption 2 is empty"
    document["101"] = {"image": "101.jpg"}
    write(tmp_path, document)
    assert fault_of(lambda: KDMCSE(str(path)).load()) == f"{path}:{line}: entry '101' has no list of captions"
    (tmp_path / "photos" / "100.jpg").unlink()
    said = fault_of(lambda: KDMCSE(str(path), photos=str(tmp_path / "photos")).load())
    assert said.startswith(f"{path}:2: no photo at")


def test_cut_file(tmp_path: Path, document: dict[str, Any]) -> None:
    path = write(tmp_path, document)
    path.write_text(path.read_text()[:-30])
    assert "not JSON" in fault_of(lambda: KDMCSE(str(path)).load())
    path.write_text("[]")
    assert fault_of(lambda: KDMCSE(str(path)).load()) == f"{path}:1: not JSON: expected {{, got '['"
