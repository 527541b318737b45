"""Photo sets in their owners' forms: what each reader makes of a well-formed and of a damaged file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from photos import fault_of

from dalr_bench_plugins.reading.albums import (
    annotation_csv_entries,
    coco_entries,
    karpathy_entries,
    only_listed,
    token_entries,
)
from dalr_bench_plugins.reading.pairs import Entry

TRAIN = frozenset({"train"})


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def seen(entries: Any) -> list[tuple[str, list[str]]]:
    return [(entry.name, list(entry.captions)) for entry in entries]


def test_token_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "r.token", "1.jpg#0\tA dog .\n1.jpg#1\tTwo  dogs # 2 .\n2.jpg#0\tA cat .\n")
    assert seen(token_entries(path, None)) == [("1.jpg", ["A dog .", "Two  dogs # 2 ."]), ("2.jpg", ["A cat ."])]
    entries = list(token_entries(path, tmp_path))
    assert [(entry.photo, entry.line) for entry in entries] == [(tmp_path / "1.jpg", 1), (tmp_path / "2.jpg", 3)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1.jpg#0\ta\nno number\n", "2: expected PHOTO#NUMBER, a tab and a caption"),
        ("1.jpg#0\ta\n\n", "2: expected PHOTO#NUMBER"),
        ("1.jpg#0\t \n", "1: expected PHOTO#NUMBER"),
        ("1.jpg#0\ta\n2.jpg#0\tb\n1.jpg#1\tc\n", "3: the captions of 1.jpg are not together"),
    ],
)
def test_token_faults(text: str, said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "r.token", text)
    assert fault_of(lambda: list(token_entries(path, None))).startswith(f"{path}:{said}")


def test_karpathy(tmp_path: Path) -> None:
    def image(name: str, split: str, **more: str) -> dict[str, Any]:
        return {"filename": name, "split": split, "sentences": [{"raw": f"of {name}"}], **more}

    rows = [image("1.jpg", "train"), image("2.jpg", "val"), image("3.jpg", "train", filepath="train2014")]
    path = write(tmp_path / "dataset.json", {"images": rows})
    assert seen(karpathy_entries(path, None, TRAIN)) == [("1.jpg", ["of 1.jpg"]), ("3.jpg", ["of 3.jpg"])]
    photos = [entry.photo for entry in karpathy_entries(path, tmp_path, TRAIN | {"val"})]
    assert photos == [tmp_path / "1.jpg", tmp_path / "2.jpg", tmp_path / "train2014" / "3.jpg"]


@pytest.mark.parametrize("document", [[], {"images": {}}, {"images": [1]}, {"images": [{"filename": "a"}]}])
def test_documents_that_are_no_karpathy_file(document: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "dataset.json", document)
    assert fault_of(lambda: list(karpathy_entries(path, None, TRAIN))).startswith(f"{path}:1: ")


def test_coco(tmp_path: Path) -> None:
    images = [{"id": 9, "file_name": "9.jpg"}, {"id": 4, "file_name": "4.jpg"}]
    notes = [{"image_id": 4, "id": 1, "caption": "four"}, {"image_id": 9, "id": 2, "caption": "nine"}]
    notes.append({"image_id": 4, "id": 3, "caption": "also four"})
    path = write(tmp_path / "captions_train2017.json", {"images": images, "annotations": notes})
    assert seen(coco_entries(path, None)) == [("9.jpg", ["nine"]), ("4.jpg", ["four", "also four"])]
    assert [entry.photo for entry in coco_entries(path, tmp_path)] == [tmp_path / "9.jpg", tmp_path / "4.jpg"]


def test_coco_caption_of_an_unknown_photo(tmp_path: Path) -> None:
    document = {"images": [{"id": 9, "file_name": "9.jpg"}], "annotations": [{"image_id": 5, "id": 7, "caption": "x"}]}
    path = write(tmp_path / "captions_x.json", document)
    said = fault_of(lambda: list(coco_entries(path, None)))
    assert said == f"{path}:1: annotation 7 belongs to image 5, which is not listed"


def test_annotation_csv(tmp_path: Path) -> None:
    raw = json.dumps(["A, dog", 'say "x"']).replace('"', '""')
    text = f'raw,sentids,split,filename,img_id\n"{raw}","[0, 1]",train,1.jpg,0\n"[""b""]","[2]",test,2.jpg,1\n'
    path = write(tmp_path / "a.csv", text)
    assert seen(annotation_csv_entries(path, None, TRAIN)) == [("1.jpg", ["A, dog", 'say "x"'])]
    spoiled = write(tmp_path / "b.csv", text.replace('[""b""]', '[""b""'))
    said = fault_of(lambda: list(annotation_csv_entries(spoiled, None, frozenset({"test"}))))
    assert said.startswith(f"{spoiled}:3: column raw is no JSON list")


def test_only_listed(tmp_path: Path) -> None:
    ids = write(tmp_path / "train.txt", "3\n1.jpg\n\n")
    entries = [Entry(None, ["x"], "f", name=f"{number}.jpg") for number in (1, 2, 3)]
    assert [entry.name for entry in only_listed(iter(entries), ids)] == ["1.jpg", "3.jpg"]
    assert list(only_listed(iter(entries), None)) == entries
