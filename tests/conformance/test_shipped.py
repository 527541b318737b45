"""Our own components keep the contract that strangers are held to; those that cannot be built here say what they need."""

from __future__ import annotations

from pathlib import Path

import pytest
from tar_shards import captioned
from tiny_models import WORDS, text_folder

from dalr_bench.conformance.kit import Asked, Verdict, check
from dalr_bench.plugin.manager import load

# Built with more than their defaults below, and in test_shipped_files.py.
NEED_MODELS = {"backbone/pretrained", "teacher/hf_clip", "teacher/hf_text", "teacher/open_clip"}
NEED_MODELS |= {"teacher/sentence_transformer", "teacher/stored"}
NEED_FILES = {
    "source/captions",
    "source/coco",
    "source/flickr30k",
    "source/hf_dataset",
    "source/kdmcse",
    "source/lines",
}
NEED_FILES |= {"source/mcse", "source/nli_triplets", "source/webdataset"}
NEED_DATA = {f"evaluator/{name}" for name in ("geometry", "mteb", "retrieval", "senteval", "sts")}
NEED_OPTIONS = {"loss/cma", "loss/global_to_local", "loss/image_text", "loss/siglip"}
# Their processes or libraries are not everywhere; each has tests of its own.
ELSEWHERE = {
    "executor/local",
    "executor/ray",
    "executor/slurm",
    "tracker/mlflow",
    "tracker/wandb",
    "tracker/tensorboard",
}


def verdict(name: str, **options: object) -> Verdict:
    (found,) = check([name], Asked(limit=120, options=options))
    return found


def kept(found: Verdict) -> None:
    assert not found.broken, found.broken
    states = {item.contract: item.state for item in found.findings}
    assert states["build.works"] == "kept", found.findings
    assert list(states.values()).count("kept") >= 4


def test_all_that_needs_nothing_keeps_the_contract() -> None:
    left_out = NEED_MODELS | NEED_FILES | NEED_DATA | NEED_OPTIONS | ELSEWHERE
    names = [f"{item.kind}/{item.name}" for item in load().catalogue]
    assert left_out <= set(names), left_out - set(names)
    chosen = [name for name in names if name not in left_out]
    assert len(chosen) >= 15
    for found in check(chosen, Asked(limit=120)):
        kept(found)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("loss/siglip", {"image": "teacher"}),
        ("loss/siglip", {"space": "space"}),
        ("loss/cma", {"space": "space"}),
        ("loss/global_to_local", {"head": "linear"}),
        ("loss/image_text", {"image": "teacher"}),
    ],
    ids=str,
)
def test_losses_that_need_an_option(name: str, options: dict[str, object]) -> None:
    kept(verdict(name, **options))


def test_models_and_files_of_ones_own(tmp_path: Path) -> None:
    model = str(text_folder(tmp_path / "model"))
    kept(verdict("teacher/hf_text", model=model, pooling="mean"))
    kept(verdict("backbone/pretrained", model=model))
    (tmp_path / "lines.txt").write_text("\n".join(WORDS) + "\n")
    kept(verdict("source/lines", path=str(tmp_path / "lines.txt")))
    kept(verdict("source/hf_dataset", path=str(tmp_path / "lines.txt")))
    captioned(tmp_path / "shards", [3, 2], pictures=True)
    kept(verdict("source/webdataset", root=str(tmp_path / "shards"), shards="*.tar", image="png"))


def test_who_cannot_be_built_says_what_it_needs() -> None:
    for name in sorted(NEED_MODELS | NEED_FILES | {"evaluator/mteb"}):
        (finding,) = [item for item in verdict(name).findings if item.contract == "build.works"]
        assert finding.state == "unchecked"
        assert "--option" in finding.what
