"""Paths to data are found by the components' markers and named without saying whose machine it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dalr_bench.plugin.manager import load
from dalr_bench.publish.data_paths import parts_of, paths_of, portable, replaced


def config() -> dict[str, Any]:
    return {
        "suite": "s",
        "backbone": {"name": "hf", "options": {"model": "/not/data"}},
        "streams": {"text": {"name": "lines", "options": {"path": "/a/lines.txt"}}},
        "teachers": {},
        "losses": {"info": {"name": "infonce", "weight": 1.0, "on": None, "options": {"temperature": 0.05}}},
        "train": {"steps": 1, "dev": {"name": "scenes", "options": {"split": "dev"}}},
        "evaluate": [{"name": "mteb", "options": {"tasks": ["STS12"], "root": "/b/raw"}}],
    }


def test_only_marked_options_are_paths() -> None:
    catalogue = load().catalogue
    assert paths_of(config(), catalogue) == ["/a/lines.txt", "/b/raw"]
    moved = replaced(config(), catalogue, lambda path: Path(path).name)
    expected = config()
    expected["streams"]["text"]["options"]["path"] = "lines.txt"
    expected["evaluate"][0]["options"]["root"] = "raw"
    assert moved == expected


def test_a_models_folder_is_a_path_and_a_name_of_the_hub_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    catalogue, found = load().catalogue, config()
    for name in ("mine", str(tmp_path / "mine")):
        found["backbone"]["options"]["model"] = name
        assert paths_of(found, catalogue) == [str(tmp_path / "mine"), "/a/lines.txt", "/b/raw"]
        assert replaced(found, catalogue, lambda path: Path(path).name)["backbone"]["options"]["model"] == "mine"
    for name in ("owner/mine", "package:mine"):
        found["backbone"]["options"]["model"] = name
        assert paths_of(found, catalogue) == ["/a/lines.txt", "/b/raw"]


def test_every_part_is_visited() -> None:
    found = [(place, kind) for place, kind, _ in parts_of(config())]
    assert found == [
        ("backbone", "backbone"),
        ("streams.text", "source"),
        ("losses.info", "loss"),
        ("train.dev", "evaluator"),
        ("evaluate.0", "evaluator"),
    ]


def test_names_are_relative_and_different(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("DALR_BENCH_DATA", str(tmp_path / "data"))
    paths = [
        tmp_path / "data" / "sub" / "x.txt",
        tmp_path / "here" / "y.txt",
        tmp_path / "far" / "a" / "z",
        tmp_path / "far" / "b" / "z",
    ]
    names = portable([str(path) for path in paths])
    assert list(names.values()) == ["sub/x.txt", "y.txt", "a/z", "b/z"]
    assert portable([str(tmp_path / "far" / "a" / "z")]) == {str(tmp_path / "far" / "a" / "z"): "z"}
    assert portable([]) == {}
