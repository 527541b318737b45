"""Our components that read models, files or data keep the contract too: each is given small ones of its own form."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from photos import captions_of, write_json_lines, write_photos
from tiny_models import WORDS, clip_folder, open_clip_config

from conformance.test_shipped import kept, verdict
from dalr_bench_plugins.backbones.hf import hf

Options = dict[str, object]


def captions(folder: Path) -> Options:
    names = write_photos(folder, 3)
    write_json_lines(folder / "captions.jsonl", [{"image": name, "captions": captions_of(name)} for name in names])
    return {"root": str(folder)}


def coco(folder: Path) -> Options:
    names = write_photos(folder / "photos", 3)
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    notes = [{"image_id": number, "id": number, "caption": name} for number, name in enumerate(names)]
    (folder / "captions_tiny.json").write_text(json.dumps({"images": images, "annotations": notes}))
    return {"annotations": str(folder / "captions_tiny.json"), "photos": str(folder / "photos")}


def flickr30k(folder: Path) -> Options:
    names = write_photos(folder / "photos", 3)
    lines = [f"{name}#{n}\t{said}\n" for name in names for n, said in enumerate(captions_of(name, 5))]
    (folder / "results_20130124.token").write_text("".join(lines))
    return {"annotations": str(folder / "results_20130124.token"), "photos": str(folder / "photos")}


def kdmcse(folder: Path) -> Options:
    entries = {
        name: {"image": name, "captions": captions_of(name), "image_feat": [0.1], "lang_feat": [[1.0], [2.0]]}
        for name in write_photos(folder / "photos", 3)
    }
    (folder / "kdmcse.json").write_text(json.dumps(entries))
    return {"path": str(folder / "kdmcse.json"), "photos": str(folder / "photos")}


def mcse(folder: Path) -> Options:
    (folder / "captions.txt").write_text("A dog runs .\nA cat .\nTwo birds .\n")
    return {"captions": str(folder / "captions.txt")}


def nli(folder: Path) -> Options:
    (folder / "nli.csv").write_text(
        "sent0,sent1,hard_neg\nA man plays.,Someone plays.,Nobody plays.\nDogs,Animals,A cat\n"
    )
    return {"path": str(folder / "nli.csv")}


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("captions", captions),
        ("coco", coco),
        ("flickr30k", flickr30k),
        ("kdmcse", kdmcse),
        ("mcse", mcse),
        ("nli_triplets", nli),
    ],
)
def test_sources(name: str, files: Callable[[Path], Options], tmp_path: Path) -> None:
    kept(verdict(f"source/{name}", **files(tmp_path)))


def clip(folder: Path) -> Options:
    return {"model": str(clip_folder(folder, "CLIP"))}


def siglip(folder: Path) -> Options:
    return {"model": str(clip_folder(folder, "Siglip"))}


def open_clip(folder: Path) -> Options:
    return {"model": "tiny-clip", "config": str(open_clip_config(folder))}


def sentence_transformer(folder: Path) -> Options:
    hf(hidden=16, vocabulary=WORDS, pooling="mean", keep_head=True, max_length=12).save(str(folder))
    return {"model": str(folder)}


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("hf_clip", clip),
        ("hf_clip", siglip),
        ("open_clip", open_clip),
        ("sentence_transformer", sentence_transformer),
    ],
)
def test_teachers(name: str, files: Callable[[Path], Options], tmp_path: Path) -> None:
    kept(verdict(f"teacher/{name}", **files(tmp_path / "model")))


def test_stored_rows_are_those_of_a_corpus(tmp_path: Path) -> None:
    """The kit has no corpus that the file would be of: what can be looked at is kept, the rest is told."""
    np.savez(tmp_path / "rows.npz", text=np.eye(7, dtype=np.float32))
    found = verdict("teacher/stored", path=str(tmp_path / "rows.npz"))
    assert not found.broken, found.broken


@pytest.mark.parametrize("name", ["sts", "geometry", "retrieval", "senteval"])
def test_evaluators(name: str, shared: Path) -> None:
    options: dict[str, Options] = {
        "sts": {"sets": ["STS-B"], "root": "data/senteval", "split": "dev"},
        "geometry": {"root": "data/senteval"},
        "retrieval": {"root": "data/captions/coco_cc"},
        "senteval": {"tasks": ["MRPC"], "mode": "fast", "solver": "batched", "root": "data/senteval"},
    }
    given = dict(options[name])
    given["root"] = str(shared / str(given["root"]))
    kept(verdict(f"evaluator/{name}", **given))
