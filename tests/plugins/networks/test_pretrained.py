"""Opening folders: fp32 whatever they hold, one clear line where they cannot be opened, pickles shut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_models import malicious_pickle, text_folder

from dalr_bench import DataError
from dalr_bench_plugins.networks.pretrained import Checkpoint, digest_of_files, open_encoder, weights_fingerprint


def test_half_precision_weights_become_float32(tmp_path: Path) -> None:
    from transformers import AutoModel

    text_folder(tmp_path)
    AutoModel.from_pretrained(tmp_path).half().save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "float16"
    model, _ = open_encoder(Checkpoint(str(tmp_path)), needs_pooler=True)
    assert {weights.dtype for weights in model.parameters()} == {torch.float32}


def test_dropout_has_one_name_for_every_family(tmp_path: Path) -> None:
    changes = {"hidden_dropout": 0.3, "attention_dropout": 0.2}
    bert, _ = open_encoder(Checkpoint(str(text_folder(tmp_path / "b"))), False, changes)
    assert (bert.config.hidden_dropout_prob, bert.config.attention_probs_dropout_prob) == (0.3, 0.2)
    distil, _ = open_encoder(Checkpoint(str(text_folder(tmp_path / "d", "DistilBert"))), False, changes)
    assert (distil.config.dropout, distil.config.attention_dropout) == (0.3, 0.2)
    assert distil.embeddings.dropout.p == 0.3


def test_missing_model_says_what_to_do() -> None:
    for name in ("no-such/model", "/no/such/folder"):
        with pytest.raises(DataError) as caught:
            open_encoder(Checkpoint(name), False)
        assert str(caught.value).startswith(f"{name}: no such model folder")
        assert "dalr-bench prefetch SUITE" in str(caught.value)
        assert "\n" not in str(caught.value)
        with pytest.raises(DataError, match="dalr-bench prefetch SUITE"):
            weights_fingerprint(Checkpoint(name))


def test_folder_without_model_or_weights(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no config\.json"):
        open_encoder(Checkpoint(str(tmp_path)), False)
    text_folder(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"no weights \(model\.safetensors\)"):
        open_encoder(Checkpoint(str(tmp_path)), False)
    with pytest.raises(DataError, match=r"no weights \(model\.safetensors\)"):
        weights_fingerprint(Checkpoint(str(tmp_path)))


@pytest.mark.parametrize("family", ["Bert", "Roberta", "DistilBert"])
def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path, family: str) -> None:
    text_folder(tmp_path, family)
    open_encoder(Checkpoint(str(tmp_path)), False)
    for file in tmp_path.iterdir():
        if file.name not in ("config.json", "model.safetensors"):
            file.unlink()
    with pytest.raises(DataError, match=r": .*tokenizer"):
        open_encoder(Checkpoint(str(tmp_path)), False)


def test_cut_weights(tmp_path: Path) -> None:
    weights = text_folder(tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(DataError, match="cut or damaged"):
        open_encoder(Checkpoint(str(tmp_path)), False)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_malicious_pickle_is_refused_unopened(tmp_path: Path, name: str) -> None:
    folder, mark = text_folder(tmp_path / "model"), tmp_path / "ran"
    (folder / "model.safetensors").unlink()
    malicious_pickle(folder / name, mark)
    said = f"{name} is a pickle, which can run code when opened"
    with pytest.raises(DataError, match=said):
        open_encoder(Checkpoint(str(folder)), False)
    with pytest.raises(DataError, match=said):
        weights_fingerprint(Checkpoint(str(folder)))
    assert not mark.exists()


def test_allowed_pickle_is_read_as_weights_only(tmp_path: Path) -> None:
    folder, mark = text_folder(tmp_path / "model"), tmp_path / "ran"
    allowed = Checkpoint(str(folder), allow_pickle=True)
    safe, _ = open_encoder(allowed, False)
    torch.save(safe.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    read, _ = open_encoder(allowed, False)
    assert all(torch.equal(a, b) for a, b in zip(safe.state_dict().values(), read.state_dict().values(), strict=True))
    malicious_pickle(folder / "pytorch_model.bin", mark)
    with pytest.raises(DataError, match="more than weights"):
        open_encoder(allowed, False)
    assert not mark.exists()


def test_weights_without_pooler_serve_only_where_none_is_read(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = text_folder(tmp_path) / "model.safetensors"
    kept = {name: tensor for name, tensor in load_file(weights).items() if not name.startswith("pooler.")}
    save_file(kept, weights, metadata={"format": "pt"})
    open_encoder(Checkpoint(str(tmp_path)), needs_pooler=False)
    with pytest.raises(DataError, match=r"lack pooler\.dense\.bias, pooler\.dense\.weight .*cls_before_pooler"):
        open_encoder(Checkpoint(str(tmp_path)), needs_pooler=True)
    del kept["embeddings.word_embeddings.weight"]
    save_file(kept, weights, metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"the weights lack embeddings\.word_embeddings\.weight"):
        open_encoder(Checkpoint(str(tmp_path)), needs_pooler=False)


def test_family_without_pooler(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a distilbert model has no pooler"):
        open_encoder(Checkpoint(str(text_folder(tmp_path, "DistilBert"))), needs_pooler=True)


def test_fingerprint_follows_the_content(tmp_path: Path) -> None:
    first = weights_fingerprint(Checkpoint(str(text_folder(tmp_path / "a", seed=1))))
    again = weights_fingerprint(Checkpoint(str(text_folder(tmp_path / "a2", seed=1))))
    other = weights_fingerprint(Checkpoint(str(text_folder(tmp_path / "b", seed=2))))
    assert len(first) == 64
    assert first != other
    same = [tmp_path / "x", tmp_path / "y"]
    for path in same:
        path.write_text("weights")
    assert digest_of_files(same[:1]) == digest_of_files(same[1:]) != digest_of_files(same)
    same[0].write_text("others!")
    assert digest_of_files(same[:1]) != digest_of_files(same[1:])
    assert again != other
