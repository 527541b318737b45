"""What components say they need from outside, through the real catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_models import open_clip_config

from dalr_bench import MODEL_FILES, Part, Requirement
from dalr_bench.plugin.manager import load

CASES: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    ("backbone", "hf", {"model": "org/a"}, [("model", "org/a")]),
    ("backbone", "hf", {}, []),
    ("backbone", "pretrained", {"model": "org/a"}, [("model", "org/a")]),
    ("teacher", "hf_text", {"model": "org/b"}, [("model", "org/b")]),
    ("teacher", "sentence_transformer", {"model": "package:x"}, [("model", "package:x")]),
    ("teacher", "hf_clip", {"model": "org/c"}, [("model", "org/c")]),
    ("teacher", "stored", {"path": "rows.npz"}, [("features", "rows.npz")]),
    ("loss", "replaced_token", {}, []),
    (
        "loss",
        "replaced_token",
        {"generator": "org/g", "discriminator": "org/d"},
        [("model", "org/g"), ("model", "org/d")],
    ),
    ("source", "flickr30k", {"annotations": "a.token"}, [("data", "a.token")]),
    (
        "source",
        "flickr30k",
        {"annotations": "a.token", "photos": "p", "ids": "t.txt"},
        [("data", "a.token"), ("data", "p"), ("data", "t.txt")],
    ),
    ("source", "coco", {"annotations": "a.json", "photos": "p"}, [("data", "a.json"), ("data", "p")]),
    ("source", "mcse", {"captions": "c.txt", "features": "f.h5"}, [("data", "c.txt"), ("features", "f.h5")]),
    ("source", "mcse", {"captions": "c.txt"}, [("data", "c.txt")]),
    ("source", "kdmcse", {"path": "f.json"}, [("data", "f.json")]),
    ("source", "nli_triplets", {"path": "n.csv"}, [("data", "n.csv")]),
    ("source", "lines", {"path": "l.txt"}, [("data", "l.txt")]),
    ("source", "captions", {"root": "folder"}, [("data", "folder")]),
    ("evaluator", "divergence", {}, []),
    ("evaluator", "divergence", {"root": "folder", "reference": "org/r"}, [("model", "org/r")]),
]


def required(kind: str, name: str, options: dict[str, Any]) -> list[Requirement]:
    component = load().catalogue.get(kind, name)
    filled, faults = load().catalogue.validate(kind, Part(name, options))
    assert not faults
    found: list[Requirement] = component.factory.requires(filled)  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize(("kind", "name", "options", "wanted"), CASES, ids=lambda value: str(value)[:40])
def test_components_say_what_they_need(
    kind: str, name: str, options: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    found = required(kind, name, options)
    assert [(item.kind, item.name) for item in found] == wanted
    assert all(item.how for item in found)


def test_who_may_not_redistribute_says_where_to_ask() -> None:
    photos = required("source", "flickr30k", {"annotations": "a.token", "photos": "p"})[1]
    assert "request form" in photos.how
    assert "https://shannon.cs.illinois.edu/DenotationGraph/" in photos.how


def test_pickles_are_wanted_only_where_allowed() -> None:
    assert required("teacher", "hf_text", {"model": "org/b"})[0].patterns == MODEL_FILES
    allowed = required("teacher", "hf_text", {"model": "org/b", "allow_pickle": True, "revision": "v3"})[0]
    assert allowed.patterns == (*MODEL_FILES, "*.bin")
    assert allowed.revision == "v3"


def test_open_clip_by_tag_file_folder_and_hub(tmp_path: Path) -> None:
    def names(options: dict[str, Any]) -> list[str]:
        return [item.name for item in required("teacher", "open_clip", options)]

    assert names({"model": "ViT-B-32", "pretrained": "openai"}) == ["timm/vit_base_patch32_clip_224.openai"]
    assert set(names({"model": "ViT-B-16-SigLIP", "pretrained": "webli"})) == {"timm/ViT-B-16-SigLIP"}
    assert names({"model": "hf-hub:org/clip"}) == ["org/clip"]
    assert names({"model": f"local-dir:{tmp_path}"}) == [str(tmp_path)]
    assert names({"model": "tiny-clip", "config": str(open_clip_config(tmp_path))}) == []
    (tmp_path / "weights.safetensors").write_bytes(b"x")
    assert names({"model": "ViT-B-32", "pretrained": str(tmp_path / "weights.safetensors")}) == [
        str(tmp_path / "weights.safetensors")
    ]
    unknown = required("teacher", "open_clip", {"model": "ViT-B-32", "pretrained": "opnai"})[0]
    assert "neither a file nor a tag of ViT-B-32" in unknown.how
