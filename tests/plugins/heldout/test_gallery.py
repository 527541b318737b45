"""Held-out pictures: fresh scenes with their truth, real ones from the forms their owners ship."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from photos import captions_of, fault_of, write_json_lines, write_photos

from dalr_bench import Part, SuiteError
from dalr_bench.plugin.registry import Catalogue
from dalr_bench_plugins.evaluators import divergence
from dalr_bench_plugins.heldout.gallery import SEEDS, FreshScenes, captioned, fresh
from dalr_bench_plugins.sources.scenes import Scenes


def test_fresh_scenes_are_the_sources_with_their_truth() -> None:
    gallery = fresh({"captions": 3}, {"scenes": 7, "seed": 5})
    source = Scenes(scenes=7, captions=3, seed=5).load()
    assert gallery.corpus.sentences == source.sentences
    assert gallery.corpus.fingerprint == source.fingerprint
    assert (len(gallery.scenes), len(gallery.meanings), gallery.known) == (7, 21, True)
    assert gallery.picture_of.tolist() == [row // 3 for row in range(21)]
    for sentence, meaning in zip(source.sentences, gallery.meanings, strict=True):
        # The number of objects can be heard: every mention has an article of its own.
        articles = [word for word in sentence.split() if word in ("a", "an", "one", "the")]
        assert len(articles) >= len(meaning.objects)


def test_every_option_is_one_of_the_source_and_bounded_alike() -> None:
    import inspect

    known = inspect.signature(Scenes).parameters
    assert set(FreshScenes.__annotations__) == set(known) - {"siblings"}


def test_no_test_is_a_training_scene() -> None:
    trained = set(Scenes(scenes=200, seed=0).load().sentences)
    both = [set(fresh(None, {"scenes": 50, "seed": SEEDS[split]}).corpus.sentences) for split in ("dev", "test")]
    assert both[0] != both[1]
    assert len(both[1] & trained) < 20  # short sentences recur by chance


def test_unknown_options_are_refused_by_the_plan() -> None:
    catalogue = Catalogue()
    catalogue.add("evaluator", "divergence", divergence.Divergence, "d", "1")
    _, faults = catalogue.validate("evaluator", Part("divergence", {"scenes": {"hiden": 1}}))
    assert [path for path, _ in faults] == ["scenes.hiden"]
    options, faults = catalogue.validate("evaluator", Part("divergence", {"scenes": {"hidden": 2, "scenes": 20}}))
    assert not faults
    assert options["scenes"] == {"hidden": 2.0, "scenes": 20}
    with pytest.raises(SuiteError, match="9 places"):
        fresh({"described": 9, "hidden": 8.0}, {})


def test_a_folder_of_photos(tmp_path: Path) -> None:
    names = write_photos(tmp_path / "images", 3)
    rows = [
        {"image": f"images/{name}", "captions": captions_of(name), "split": "test" if number else "train"}
        for number, name in enumerate(names)
    ]
    write_json_lines(tmp_path / "captions.jsonl", rows)
    whole, kept = captioned(str(tmp_path), None, None), captioned(str(tmp_path), None, "test")
    assert whole.picture_of.tolist() == [0, 0, 1, 1, 2, 2]
    assert kept.picture_of.tolist() == [0, 0, 1, 1]
    assert not whole.known
    assert kept.facts["split"] == "test"
    assert whole.facts["pictures"] != kept.facts["pictures"]
    (tmp_path / "images" / names[2]).unlink()
    assert captioned(str(tmp_path), None, None, looking=False).picture_of.tolist() == [0, 0, 1, 1, 2, 2]
    said = fault_of(lambda: captioned(str(tmp_path), None, None))
    assert said.startswith(f"{tmp_path}/captions.jsonl:3")


def test_one_picture_is_too_few(tmp_path: Path) -> None:
    write_json_lines(tmp_path / "captions.jsonl", [{"image": "a.jpg", "captions": ["One.", "Two."]}])
    assert "fewer than two captioned pictures" in fault_of(lambda: captioned(str(tmp_path), None, None, False))


@pytest.mark.parametrize("name", ["dataset_flickr30k.json", "dataset_coco.json"])
def test_karpathys_test_split(name: str, tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 4)
    images = [
        {
            "filename": photo,
            "split": "test" if number != 1 else "train",
            "sentences": [{"raw": text} for text in captions_of(photo, 5)],
        }
        for number, photo in enumerate(photos)
    ]
    (tmp_path / name).write_text(json.dumps({"images": images}))
    found = captioned(str(tmp_path / name), str(tmp_path / "photos"), None)
    assert len(found.corpus.sentences) == 15
    assert found.corpus.images is not None
    assert len(found.corpus.images) == 3
