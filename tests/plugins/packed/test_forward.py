"""Packed inference against the encoder's own forward: the same rows, by every pooler, and nothing kept or changed."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any, get_args

import pytest
import torch

from dalr_bench import TokenBatch
from dalr_bench.evaluate.encoder import OnePass
from dalr_bench_plugins.backbones.hf import hf
from dalr_bench_plugins.networks.pooling import Pooling, needs_all_layers, pool
from dalr_bench_plugins.packed import forward
from dalr_bench_plugins.packed.forward import pooled
from dalr_bench_plugins.packed.fused import Fused, can_fuse
from dalr_bench_plugins.packed.layers import knows as can_unpad
from dalr_bench_plugins.packed.packing import in_pieces

transformers = pytest.importorskip("transformers")  # after dalr_bench, which keeps a torchvision that does not fit out

LENGTHS = [1, 3, 3, 3, 7, 8, 8, 12]
SHAPE: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 48,  # 3 heads of 16: a form the kernels take
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "intermediate_size": 64,
    "max_position_embeddings": 20,
    "initializer_range": 0.2,
}


def encoder(family: str, **more: Any) -> Any:
    """Weights wide enough for attention to matter, biases and norms away from their starts."""
    torch.manual_seed(1)
    name = {"bert": "Bert", "roberta": "Roberta"}[family]
    config = getattr(transformers, f"{name}Config")(**{**SHAPE, **more})
    found = getattr(transformers, f"{name}Model")(config).eval()
    with torch.no_grad():
        for parameter in found.parameters():
            if parameter.ndim == 1:
                parameter += 0.2 * torch.randn_like(parameter)
    return found


def sentences(lengths: Sequence[int] = LENGTHS) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [torch.randint(5, 60, (length,), generator=generator) for length in lengths]


def alone(model: Any, rows: Sequence[torch.Tensor], pooling: Pooling, grad: bool = False) -> torch.Tensor:
    """The definition: every sentence by itself through the library's own forward."""
    out = []
    with torch.set_grad_enabled(grad):
        for ids in rows:
            mask = torch.ones(1, len(ids), dtype=torch.long)
            output = model(ids[None], attention_mask=mask, output_hidden_states=needs_all_layers(pooling))
            out.append(pool(output, mask, pooling))
    return torch.cat(out)


@pytest.mark.parametrize("pooling", get_args(Pooling))
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_rows_are_those_of_the_encoders_own_forward(family: str, pooling: Pooling, way: str) -> None:
    model, rows = encoder(family), sentences()
    assert can_fuse(model, torch.device("cpu")) or way == "plain"
    with torch.inference_mode():
        found = pooled(model, torch.cat(rows), LENGTHS, pooling)
    expected = alone(copy.deepcopy(model).double(), rows, pooling)
    assert found.shape == (len(LENGTHS), 48)
    assert (found - expected).abs().max() <= 2e-6 * expected.abs().max()
    assert (expected[1:] - expected[:-1]).abs().max() > 0.1


@pytest.mark.parametrize("pooling", ["first_last", "top2", "embeddings_last", "mean"])
def test_a_single_layer_is_counted_as_often_as_the_pooler_names_it(pooling: Pooling) -> None:
    model, rows = encoder("bert", num_hidden_layers=1), sentences()
    with torch.inference_mode():
        found = pooled(model, torch.cat(rows), LENGTHS, pooling)
    torch.testing.assert_close(found, alone(model, rows, pooling), rtol=2e-6, atol=2e-6)


def test_padding_ids_inside_a_sentence_have_no_position_in_roberta(way: str) -> None:
    model, rows = encoder("roberta"), sentences([6, 6])
    rows[0][2] = model.embeddings.padding_idx
    with torch.inference_mode():
        found = pooled(model, torch.cat(rows), [6, 6], "mean")
    torch.testing.assert_close(found, alone(model, rows, "mean"), rtol=2e-6, atol=2e-6)


def test_other_activations_and_attention_implementations_are_the_models_own() -> None:
    model, rows = encoder("bert", hidden_act="relu", attn_implementation="eager"), sentences()
    with torch.inference_mode():
        found = pooled(model, torch.cat(rows), LENGTHS, "mean")
    torch.testing.assert_close(found, alone(model, rows, "mean"), rtol=2e-6, atol=2e-6)


def test_changed_weights_are_seen_at_once(way: str) -> None:
    model, rows = encoder("bert"), sentences()
    for _ in range(2):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1.1)
        with torch.inference_mode():
            found = pooled(model, torch.cat(rows), LENGTHS, "mean")
        torch.testing.assert_close(found, alone(model, rows, "mean"), rtol=1e-5, atol=1e-5)


def test_nothing_is_drawn_and_no_flag_is_touched(way: str) -> None:
    model, rows = encoder("bert").train(), sentences()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.random.get_rng_state()
    with torch.inference_mode():
        first, again = (pooled(model, torch.cat(rows), LENGTHS, "mean") for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first, again)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_pieces_of_a_batch_give_what_it_gives_whole(precision: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, rows = encoder("bert"), sentences()
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")
    with torch.inference_mode(), autocast:
        whole = pooled(model, torch.cat(rows), LENGTHS, "mean")
        monkeypatch.setattr(forward, "_PIECE", 9 * SHAPE["intermediate_size"])
        cut = pooled(model, torch.cat(rows), LENGTHS, "mean")
    torch.testing.assert_close(cut, whole, rtol=0, atol=2e-6 if precision == "fp32" else 0.03)


@pytest.mark.usefixtures("fused")
@pytest.mark.parametrize(("family", "pairs"), [("bert", 7), ("roberta", 6)])
def test_the_first_layer_asks_once_for_every_id_and_place(
    family: str, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, asked = encoder(family), []
    # 1 is RoBERTa's padding, not counted as a place.
    rows = [torch.tensor(ids) for ids in ([7, 8], [7, 9, 8], [7, 8, 9], [7, 9, 1, 9])]
    original = Fused.asked

    def watched(self: Fused, states: torch.Tensor, layer: Any) -> torch.Tensor:
        asked.append(len(states))
        return original(self, states, layer)

    monkeypatch.setattr(Fused, "asked", watched)
    with torch.inference_mode():
        found = pooled(model, torch.cat(rows), [len(row) for row in rows], "mean")
    assert asked == [pairs, 12, 12]
    torch.testing.assert_close(found, alone(model, rows, "mean"), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("lengths", [[1], [9], [1, 1, 1], [4, 5, 9, 20], [20, 20], list(range(1, 12))])
def test_no_piece_is_longer_than_asked_unless_a_sentence_is(lengths: list[int]) -> None:
    pieces = [list(piece) for piece in in_pieces(lengths, 9)]
    assert list(chain.from_iterable(pieces)) == lengths
    assert all(piece and (sum(piece) <= 9 or len(piece) == 1) for piece in pieces)
    assert all(sum(one) + two[0] > 9 for one, two in pairwise(pieces))


def test_whoever_asks_for_gradients_gets_them(way: str) -> None:
    model, rows = encoder("bert"), sentences()
    pooled(model, torch.cat(rows), LENGTHS, "mean").square().sum().backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    alone(model, rows, "mean", grad=True).square().sum().backward()
    for name, p in model.named_parameters():
        if p.grad is not None:
            torch.testing.assert_close(found[name], p.grad, rtol=1e-4, atol=1e-4)


def test_bf16_is_as_far_off_as_the_encoders_own_bf16(way: str) -> None:
    model, rows = encoder("bert"), sentences()
    exact = alone(model, rows, "mean")
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = pooled(model, torch.cat(rows), LENGTHS, "mean").float()
    with torch.autocast("cpu", torch.bfloat16):
        theirs = alone(model, rows, "mean").float()
    assert 0 < (found - exact).abs().max() < 2 * (theirs - exact).abs().max()


def test_what_is_not_plainly_such_an_encoder_is_left_to_its_own_forward() -> None:
    assert can_unpad(encoder("bert"))
    assert can_unpad(encoder("roberta"))
    assert can_unpad(encoder("bert", attn_implementation="eager"))
    assert not can_unpad(encoder("bert", is_decoder=True))
    other = transformers.DistilBertConfig(vocab_size=9, dim=8, n_heads=2, n_layers=1, hidden_dim=8)
    assert can_unpad(transformers.DistilBertModel(other))
    sizes = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 8}
    assert not can_unpad(transformers.ElectraModel(transformers.ElectraConfig(vocab_size=9, **sizes)))
    somebodys = type("BertModel", (transformers.BertModel,), {})  # its own forward may do anything
    assert not can_unpad(somebodys(transformers.BertConfig(**SHAPE)))
    hooked = encoder("bert")
    hooked.encoder.layer[1].register_forward_hook(lambda *_: None)
    assert not can_unpad(hooked)
    replaced = encoder("bert")
    replaced.encoder.layer[0].output.dense = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(64, 48))
    assert not can_unpad(replaced)


@pytest.mark.parametrize("lora_rank", [None, 2])
def test_a_student_is_scored_as_it_embeds(lora_rank: int | None) -> None:
    """One with low-rank updates takes the other way, to the same rows."""
    words = [f"w{number}" for number in range(30)]
    torch.manual_seed(0)
    student = hf(pooling="cls", head="mlp", keep_head=True, normalize=True, vocabulary=words, lora_rank=lora_rank)
    assert student.packs == (lora_rank is None)
    texts = [" ".join(words[place : place + size]) for place, size in enumerate([5, 1, 9, 1, 5, 3])]
    found = OnePass(student.train()).encode(texts)
    with torch.no_grad():
        ids = [torch.tensor([row]) for row in student.tokenizer(texts)]
        student.eval()
        expected = torch.cat([student.embed(TokenBatch(row, torch.ones_like(row))) for row in ids]).numpy()
    assert abs(found - expected).max() < 2e-6
