"""Looking for what a suite needs: folders, packages, the hub's cache; and what stands in the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_hub import fill_cache

from dalr_bench import Requirement
from dalr_bench.prefetching import Found, look, prefetch
from dalr_bench.suite.outside import Wanted


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def found(requirement: Requirement) -> Found:
    return look(Wanted(requirement, ("here",)))


def test_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("x")
    assert found(Requirement("data", str(tmp_path / "file.txt"))).where == "file"
    assert found(Requirement("model", str(tmp_path))).where == "folder"
    gone = found(Requirement("data", str(tmp_path / "gone")))
    assert (gone.state, gone.why) == ("missing", "there is no such file or folder")


def test_packages() -> None:
    there = found(Requirement("model", "package:pytest"))
    assert (there.state, there.where) == ("there", "package")
    assert found(Requirement("model", "package:no-such-thing")).why.endswith("pip install no-such-thing")


def test_the_hubs_cache(cache: Path) -> None:
    assert found(Requirement("model", "org/gone")).why == "neither a folder nor whole in the hub's cache"
    fill_cache(cache, "org/whole", {"config.json": b"{}", "model.safetensors": b"x"})
    whole = found(Requirement("model", "org/whole"))
    assert (whole.state, whole.where) == ("there", "hub cache")
    fill_cache(cache, "org/bare", {"config.json": b"{}"})
    bare = found(Requirement("model", "org/bare"))
    assert (bare.state, bare.why) == ("missing", "the hub's cache holds it without weights that may be read")
    assert found(Requirement("model", "org/bare", patterns=("*.json",))).state == "there"  # a tokenizer


def test_pickles_count_only_where_they_are_allowed(cache: Path) -> None:
    fill_cache(cache, "org/old", {"config.json": b"{}", "pytorch_model.bin": b"x"})
    refused = found(Requirement("model", "org/old"))
    assert refused.state == "missing"
    assert refused.why.endswith("(only pickles: `allow_pickle: true` reads them)")
    assert found(Requirement("model", "org/old", patterns=("*.safetensors", "*.bin"))).state == "there"


def test_a_revision_is_another_model(cache: Path) -> None:
    fill_cache(cache, "org/whole", {"model.safetensors": b"x"})
    assert found(Requirement("model", "org/whole", revision="v2")).state == "missing"


def test_a_link_to_nothing_is_not_there(cache: Path) -> None:
    snapshot = fill_cache(cache, "org/cut", {"config.json": b"{}"})
    (snapshot / "model.safetensors").symlink_to(snapshot / "blob-that-never-came")
    assert found(Requirement("model", "org/cut")).state == "missing"


@pytest.mark.parametrize("name", ["a/b/c", "./model", "~/model", "local:thing", "/abs/model", "a//b"])
def test_what_cannot_be_a_hub_id_is_never_asked_for(name: str, cache: Path) -> None:
    told: list[Found] = []
    (one,) = prefetch([Wanted(Requirement("model", name), ("here",))], offline=False, told=told.append)
    assert (one.state, one.why) == ("missing", "there is no such file or folder")
    assert told == [one]


def test_offline_asks_nobody_and_says_so(cache: Path) -> None:
    (one,) = prefetch([Wanted(Requirement("model", "org/gone"), ("here",))], offline=True)
    assert one.why == "neither a folder nor whole in the hub's cache; the network was not asked (offline)"
    (data,) = prefetch([Wanted(Requirement("data", "org/gone"), ("here",), "looked for it")], offline=True)
    assert data.why == "looked for it"


def test_as_json(cache: Path) -> None:
    asked = Requirement("model", "org/gone", "ask", revision="v1")
    document = look(Wanted(asked, ("teachers.a", "backbone"))).to_json()
    assert document["for"] == ["teachers.a", "backbone"]
    assert {key: document[key] for key in ("kind", "name", "revision", "state", "how")} == {
        "kind": "model",
        "name": "org/gone",
        "revision": "v1",
        "state": "missing",
        "how": "ask",
    }
