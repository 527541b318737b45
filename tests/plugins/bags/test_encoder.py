from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from dalr_bench import TokenBatch, TrainingError
from dalr_bench_plugins.bags.encoder import BagEncoder

WORDS = ["red", "crimson", "star", "the"]
COLUMNS = {"red": 0, "crimson": 0, "star": 1}
WEIGHTS = {"red": 2.0, "crimson": 0.5}


@pytest.fixture
def bag() -> BagEncoder:
    return BagEncoder(WORDS, COLUMNS, WEIGHTS, {"model": "bag"})


def batch(bag: BagEncoder, sentences: list[str]) -> TokenBatch:
    rows = bag.tokenizer(sentences)
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return TokenBatch(ids, mask)


def test_rows_are_weighted_counts(bag: BagEncoder) -> None:
    sentences = ["the red star", "crimson red red", "star star moon the", "the"]
    expected = []
    for sentence in sentences:
        row = [0.0, 0.0]
        for word in sentence.split():
            if word in COLUMNS:
                row[COLUMNS[word]] += WEIGHTS.get(word, 1.0)
        expected.append(row)
    assert bag.embed(batch(bag, sentences)).tolist() == expected
    assert bag.dim == 2


def test_padding_counts_nothing(bag: BagEncoder) -> None:
    tokens = batch(bag, ["star", "the red star"])
    masked = TokenBatch(torch.where(tokens.mask_NL > 0, tokens.ids_NL, 2), tokens.mask_NL)
    assert torch.equal(bag.embed(masked), bag.embed(tokens))


def test_it_is_a_module_without_parameters(bag: BagEncoder) -> None:
    assert list(bag.parameters()) == []
    assert bag.to(torch.device("cpu")).train().eval() is bag
    other = BagEncoder(WORDS, {"the": 1}, {}, {"model": "bag"})
    other.load_state_dict(bag.state_dict())
    tokens = batch(bag, ["the red star"])
    assert torch.equal(other.embed(tokens), bag.embed(tokens))


def test_training_it_is_refused_in_one_line(bag: BagEncoder) -> None:
    with pytest.raises(TrainingError, match=r"^bag has nothing to train"):
        bag.encode(batch(bag, ["star"]), 2, False)


def test_what_is_saved_is_enough_to_make_it_again(bag: BagEncoder, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "model"
    bag.save(str(folder))
    assert [path.name for path in folder.iterdir()] == ["bag.safetensors"]
    with safe_open(folder / "bag.safetensors", "pt") as file:
        facts = json.loads(file.metadata()["bag"])
    assert facts == {"words": WORDS, "model": "bag", "dim": 2}
    again = BagEncoder(facts["words"], {"red": facts["dim"] - 1}, {}, {"model": "bag"})
    again.load_state_dict(load_file(folder / "bag.safetensors"))
    tokens = batch(bag, ["crimson the star red"])
    assert torch.equal(again.embed(tokens), bag.embed(tokens))


def test_a_save_that_fails_leaves_what_was_there(
    bag: BagEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag.save(str(tmp_path))
    before = (tmp_path / "bag.safetensors").read_bytes()

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        BagEncoder(["other"], {"other": 0}, {}, {"model": "bag"}).save(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["bag.safetensors"]
    assert (tmp_path / "bag.safetensors").read_bytes() == before
