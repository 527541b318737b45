"""Flickr30k in its three forms: one set of photos, the same corpus."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from photos import captions_of, fault_of, write_photos

from dalr_bench_plugins.sources.flickr30k import Flickr30k

FORMS = ["results_20130124.token", "dataset_flickr30k.json", "flickr_annotations_30k.csv"]


def write(folder: Path, form: str, rows: list[tuple[str, list[str]]]) -> Path:
    path = folder / form
    if form.endswith(".token"):
        text = "".join(f"{name}#{n}\t{caption}\n" for name, said in rows for n, caption in enumerate(said))
    elif form.endswith(".json"):
        images = [{"filename": name, "split": "train", "sentences": [{"raw": c} for c in said]} for name, said in rows]
        text = json.dumps({"images": images, "dataset": "flickr30k"}, indent=0)
    else:
        quoted = [(json.dumps(said).replace('"', '""'), name) for name, said in rows]
        lines = [f'"{raw}","[]",train,{name},0' for raw, name in quoted]
        text = "\n".join(["raw,sentids,split,filename,img_id", *lines]) + "\n"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def rows(tmp_path: Path) -> list[tuple[str, list[str]]]:
    return [(name, captions_of(name, 5)) for name in write_photos(tmp_path / "photos", 3)]


def test_every_form_gives_the_same_corpus(tmp_path: Path, rows: list[tuple[str, list[str]]]) -> None:
    corpora = [Flickr30k(str(write(tmp_path, form, rows)), photos=str(tmp_path / "photos")).load() for form in FORMS]
    assert len({corpus.fingerprint for corpus in corpora}) == 1
    assert len(corpora[0].sentences) == 15
    assert corpora[0].images is not None
    assert corpora[0].images[2].size == (10, 6)


@pytest.mark.parametrize("form", FORMS)
def test_choices(form: str, tmp_path: Path, rows: list[tuple[str, list[str]]]) -> None:
    path = write(tmp_path, form, rows)
    text = Flickr30k(str(path)).load()
    assert text.images is None
    assert len(Flickr30k(str(path), captions="one", limit=2).load().sentences) == 2
    (tmp_path / "train.txt").write_text("102\n100\n")
    listed = Flickr30k(str(path), ids=str(tmp_path / "train.txt")).load()
    assert list(listed.sentences) == [*captions_of("100.jpg", 5), *captions_of("102.jpg", 5)]
    packed = tmp_path / f"{form}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert Flickr30k(str(path)).load().fingerprint == text.fingerprint


@pytest.mark.parametrize(("form", "line"), [(FORMS[0], 6), (FORMS[1], None), (FORMS[2], 3)])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [("photo", "101.jpg: no photo at"), ("count", "101.jpg: 4 captions, expected 5")],
)
def test_faults(
    form: str, line: int | None, spoil: str, said: str, tmp_path: Path, rows: list[tuple[str, list[str]]]
) -> None:
    if spoil == "photo":
        (tmp_path / "photos" / "101.jpg").unlink()
    else:
        rows[1][1].pop()
    path = write(tmp_path, form, rows)
    if line is None:  # a JSON document: the line that names the photo
        line = 1 + next(n for n, text in enumerate(path.read_text().splitlines()) if '"101.jpg"' in text)
        assert line > 3
    told = fault_of(lambda: Flickr30k(str(path), photos=str(tmp_path / "photos")).load())
    assert told.startswith(f"{path}:{line}: {said}")


def test_a_split_nobody_is_in(tmp_path: Path, rows: list[tuple[str, list[str]]]) -> None:
    path = write(tmp_path, FORMS[1], rows)
    assert fault_of(lambda: Flickr30k(str(path), split="val").load()) == "there is no captioned photo"


def test_cut_json(tmp_path: Path, rows: list[tuple[str, list[str]]]) -> None:
    path = write(tmp_path, FORMS[1], rows)
    path.write_text(path.read_text()[:-20])
    assert "not JSON" in fault_of(lambda: Flickr30k(str(path)).load())


def test_flickr8k_as_its_owners_ship_it(shared: Path) -> None:
    path = shared / "data" / "captions" / "flickr8k_text" / "Flickr8k.token.txt.gz"
    corpus = Flickr30k(str(path)).load()
    assert (len(corpus.sentences), max(corpus.image_of or ())) == (40460, 8091)


def test_annotations_that_are_not_there(tmp_path: Path) -> None:
    options: dict[str, Any] = {"annotations": str(tmp_path / "no.token")}
    assert fault_of(lambda: Flickr30k(**options).load()) == f"{tmp_path}/no.token: no such file"
