"""An exported folder: the same vectors everywhere, whole or not at all, and never one model's scores for another."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dalr_bench import DataError, SuiteError
from dalr_bench.cli.main import main
from dalr_bench.plugin.manager import load
from dalr_bench.publish.cell import pick
from dalr_bench.publish.folder import export, revision_of
from dalr_bench.restore import open_run
from dalr_bench.workshop import Workshop

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
SENTENCES = ["a red circle above a blue square", "two small stars", "the", "a green triangle left of a red circle now"]


def made(readings: Path, variant: str, target: Path, **more: Any) -> Path:
    export(pick(readings, variant, None, {}), load(), target, **more)
    return target


def by_hand(folder: Path) -> torch.Tensor:
    """Rows from transformers alone, by what the folder's own files say."""
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(SENTENCES, padding=True, return_tensors="pt")
    with torch.inference_mode():
        out = AutoModel.from_pretrained(folder).eval()(**tokens, output_hidden_states=True)
    states, mask = out.last_hidden_state, tokens["attention_mask"].unsqueeze(-1)
    rows = torch.empty(0)
    for module in json.loads((folder / "modules.json").read_text())[1:]:
        kind, place = module["type"].rpartition(".")[2], folder / module["path"]
        if kind == "WeightedLayerPooling":
            weights = load_file(place / "model.safetensors")["layer_weights"]
            states = (
                sum(weight * layer for weight, layer in zip(weights, out.hidden_states, strict=True)) / weights.sum()
            )
        elif kind == "Pooling":
            first = json.loads((place / "config.json").read_text())["pooling_mode_cls_token"]
            rows = states[:, 0] if first else (states * mask).sum(1) / mask.sum(1)
        elif kind == "Dense":
            weights = load_file(place / "model.safetensors")
            rows = torch.tanh(rows @ weights["linear.weight"].T + weights["linear.bias"])
        else:
            rows = rows / rows.norm(dim=1, keepdim=True)
    return rows


@pytest.mark.parametrize("variant", ["first", "unit mean", "head", "layers"])
def test_the_vectors_are_the_same_in_three_libraries(readings: Path, tmp_path: Path, variant: str) -> None:
    from sentence_transformers import SentenceTransformer

    folder = made(readings, variant, tmp_path / "out")
    shop = Workshop(load(), torch.device("cpu"))
    ours = open_run(pick(readings, variant, None, {}).folder, shop).encode_text(SENTENCES).numpy()
    theirs = SentenceTransformer(str(folder), device="cpu").encode(SENTENCES)
    assert np.abs(ours - theirs).max() < 1e-6
    assert np.abs(ours - by_hand(folder).numpy()).max() < 1e-6
    assert np.abs(ours).max() > 0.05
    assert np.abs(ours[0] - ours[1]).max() > 1e-4


def test_the_folder_holds_safetensors_and_stock_modules_only(readings: Path, tmp_path: Path) -> None:
    folder = made(readings, "head", tmp_path / "out")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {
        "README.md",
        "modules.json",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "2_Dense/model.safetensors",
    } <= names
    assert {Path(name).suffix for name in names} == {".md", ".json", ".safetensors"}
    kinds = {module["type"] for module in json.loads((folder / "modules.json").read_text())}
    assert all(kind.startswith("sentence_transformers.") for kind in kinds)


def test_the_seed_is_the_first_of_the_suite_unless_named(readings: Path) -> None:
    assert pick(readings, "first", None, {}).place.seed == 1
    assert pick(readings, "first", 0, {}).place.seed == 0
    assert len(pick(readings, "first", None, {}).siblings) == 2
    with pytest.raises(SuiteError, match=r"has no such seed\. Known: 0, 1"):
        pick(readings, "first", 7, {})
    with pytest.raises(SuiteError, match=r"no variant is called 'frist'\. Did you mean 'first'"):
        pick(readings, "frist", None, {})


def test_what_is_there_is_not_overwritten_unless_told(readings: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    made(readings, "first", target)  # an empty folder is free
    before = (target / "README.md").read_text()
    with pytest.raises(SuiteError, match="--force replaces a folder"):
        made(readings, "head", target)
    assert (target / "README.md").read_text() == before
    made(readings, "head", target, force=True)
    assert (target / "2_Dense").is_dir()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SuiteError, match="something already"):
        made(readings, "first", tmp_path / "file", force=True)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_fault_on_the_way_leaves_nothing_and_the_old_folder(
    readings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = made(readings, "first", tmp_path / "out")
    before = revision_of(target)

    def full(*_: Any) -> str:
        raise OSError("no space left")

    monkeypatch.setattr("dalr_bench.publish.folder.card", full)
    with pytest.raises(OSError, match="no space left"):
        made(readings, "head", target, force=True)
    assert revision_of(target) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_any_name_a_disk_can_have_is_part_of_the_revision(tmp_path: Path) -> None:
    """Bytes that are no UTF-8, beside names that are: the revision of those alone is the one it always was."""
    (tmp_path / "é").mkdir()
    (tmp_path / "é" / "a.json").write_bytes(b"{}")
    line = f"é/a.json:{hashlib.sha256(b'{}').hexdigest()}\n"
    assert revision_of(tmp_path) == hashlib.sha256(line.encode()).hexdigest()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")).write_bytes(b"{}")
    strange = b"\xff\xfe:" + hashlib.sha256(b"{}").hexdigest().encode() + b"\n"
    assert revision_of(tmp_path) == hashlib.sha256(line.encode() + strange).hexdigest()


@pytest.fixture
def damaged(readings: Path, tmp_path: Path) -> Path:
    shutil.copytree(readings, tmp_path / "readings")
    return tmp_path / "readings"


def test_what_cannot_be_published_is_told(damaged: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="saves no sentence-transformers folder"):
        made(damaged, "bag", tmp_path / "out")
    model = pick(damaged, "head", None, {}).folder / "model"
    (model / "extra.bin").write_bytes(b"x")
    with pytest.raises(DataError, match="only plain files and safetensors"):
        made(damaged, "head", tmp_path / "out")
    (model / "extra.bin").unlink()
    (model / "modules.json").write_text(json.dumps([{"type": "mine.Own"}]))
    with pytest.raises(DataError, match="module Own loads nowhere else"):
        made(damaged, "head", tmp_path / "out")
    (model / "modules.json").write_text("{")
    with pytest.raises(DataError, match="no list of modules"):
        made(damaged, "head", tmp_path / "out")
    shutil.rmtree(model)
    with pytest.raises(DataError, match=f"kept no model; to have one, remove the folder {re.escape(str(model.parent))} and"):
        made(damaged, "head", tmp_path / "out")
    (model.parent / "record.json").unlink()
    with pytest.raises(DataError, match="was not run"):
        made(damaged, "head", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_it_wrote(readings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["export", str(readings), "first", "--seed", "0", "--to", str(tmp_path / "out")])
    assert left.value.code == 0
    assert re.search(r"first-s0-\w+ → .*out \(revision [0-9a-f]{12}\)", capsys.readouterr().out)
    with pytest.raises(SystemExit) as left:
        main(["export", str(readings), "first", "--axis", "size", "--to", str(tmp_path / "other")])
    assert left.value.code == 2


def test_mteb_scores_two_exported_cells_apart(readings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the card's own lines, in one cache, one after another and then again: never one's score for the other."""
    mteb = pytest.importorskip("mteb")
    from datasets import Dataset, DatasetDict

    random = np.random.default_rng(3)
    words = ["red", "blue", "circle", "star", "above", "small", "two", "green", "square"]
    texts = [" ".join(random.choice(words, 6)) for _ in range(80)]
    rows = {"sentence1": texts[:40], "sentence2": texts[40:], "score": list(random.uniform(0, 5, 40))}

    def score(folder: Path, cache: Any) -> float:
        task = mteb.get_task("STSBenchmark")
        task.dataset, task.data_loaded = DatasetDict({"test": Dataset.from_dict(rows)}), True
        card = (folder / "README.md").read_text()
        lines = next(block for block in re.findall(r"```python\n(.*?)```", card, re.DOTALL) if "mteb" in block)
        monkeypatch.chdir(folder)
        names: dict[str, Any] = {}
        exec(lines, names)
        found = mteb.evaluate(names["encoder"], task, cache=cache, show_progress_bar=False, co2_tracker=False)
        return float(found.task_results[0].get_score())

    folders = [made(readings, variant, tmp_path / variant) for variant in ("first", "head")]
    alone = [score(folder, None) for folder in folders]
    assert alone[0] != alone[1]
    cache = mteb.ResultCache(str(tmp_path / "cache"))
    for _ in range(2):
        assert [score(folder, cache) for folder in folders] == pytest.approx(alone, abs=1e-6)  # mteb files six digits
    assert len(list((tmp_path / "cache").rglob("STSBenchmark.json"))) == 2
