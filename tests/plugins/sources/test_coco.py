"""COCO in its own form and in Karpathy's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from photos import captions_of, fault_of, write_photos

from dalr_bench_plugins.sources.coco import Coco


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = write_photos(tmp_path / "train2014", 3)
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    notes = [
        {"image_id": number, "id": 10 * n + number, "caption": caption}
        for n in range(2)
        for number, name in enumerate(names)
        for caption in captions_of(name)[n : n + 1]
    ]
    own = {"info": {}, "licenses": [], "images": images, "annotations": notes}
    (tmp_path / "captions_train2014.json").write_text(json.dumps(own))
    rows = [
        {"filename": name, "filepath": "train2014", "split": split, "sentences": [{"raw": c} for c in said]}
        for name, split, said in zip(names, ("train", "restval", "test"), map(captions_of, names), strict=True)
    ]
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": rows}, indent=1))
    return tmp_path


def test_own_form_gathers_a_photos_captions(folder: Path) -> None:
    corpus = Coco(str(folder / "captions_train2014.json"), photos=str(folder / "train2014"), per_image=2).load()
    assert list(corpus.sentences[:2]) == captions_of("100.jpg")
    assert list(corpus.image_of or ()) == [0, 0, 1, 1, 2, 2]
    assert corpus.images is not None
    assert corpus.images[1].size == (9, 6)


def test_karpathys_splits(folder: Path) -> None:
    path = str(folder / "dataset_coco.json")
    assert len(Coco(path, photos=str(folder)).load().images or ()) == 1
    assert len(Coco(path, photos=str(folder), splits=["train", "restval"]).load().images or ()) == 2
    everything = Coco(path, photos=str(folder), splits=["train", "restval", "test"]).load()
    own = Coco(str(folder / "captions_train2014.json"), photos=str(folder / "train2014")).load()
    assert everything.fingerprint == own.fingerprint


def test_one_caption_and_text_alone(folder: Path) -> None:
    corpus = Coco(str(folder / "captions_train2014.json"), captions="one").load()
    assert (len(corpus.sentences), corpus.images) == (3, None)


@pytest.mark.parametrize("name", ["captions_train2014.json", "dataset_coco.json"])
def test_faults_name_photo_file_and_line(folder: Path, name: str) -> None:
    path = folder / name
    line = 1 + next(n for n, text in enumerate(path.read_text().splitlines()) if '"100.jpg"' in text)
    photos = folder / "train2014" if name.startswith("captions_") else folder
    said = fault_of(lambda: Coco(str(path), photos=str(photos), per_image=5).load())
    assert said == f"{path}:{line}: 100.jpg: 2 captions, expected 5"
    (folder / "train2014" / "100.jpg").unlink()
    said = fault_of(lambda: Coco(str(path), photos=str(photos)).load())
    assert said.startswith(f"{path}:{line}: 100.jpg: no photo at")
    path.write_text(path.read_text().replace("Photo 100, said 1.", " "))
    assert fault_of(lambda: Coco(str(path)).load()) == f"{path}:{line}: 100.jpg: caption 2 is empty"
    path.write_text(path.read_text()[:-9])
    assert "not JSON" in fault_of(lambda: Coco(str(path)).load())


def test_photo_without_a_caption(folder: Path) -> None:
    path = folder / "captions_train2014.json"
    document = json.loads(path.read_text())
    document["annotations"] = [note for note in document["annotations"] if note["image_id"] != 1]
    path.write_text(json.dumps(document))
    assert fault_of(lambda: Coco(str(path)).load()) == f"{path}:1: 101.jpg: a photo without a caption"
