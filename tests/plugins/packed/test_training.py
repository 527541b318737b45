"""The packed training forward against the encoder's own padded one: rows, states and every gradient, dropout and all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from dalr_bench import TokenBatch
from dalr_bench_plugins.networks.pooling import Pooling, needs_all_layers, pool
from dalr_bench_plugins.packed import forward, fused, native, plain
from dalr_bench_plugins.packed.draws import Draws
from dalr_bench_plugins.packed.packing import Packing

transformers = pytest.importorskip("transformers")  # after dalr_bench, which keeps a torchvision that does not fit out

VIEWS, WIDTH, HEADS, HIDDEN = 2, 20, 2, 32
LENGTHS = np.array([5, 3, 12, 12, 7, 20, 3, 1])
COUNT = len(LENGTHS)


def encoder(family: str, dropout: float = 0.0) -> Any:
    """Weights wide enough for attention to matter, biases and norms away from their starts."""
    torch.manual_seed(1)
    common = {"vocab_size": 60, "max_position_embeddings": 30, "initializer_range": 0.2, "pad_token_id": 1}
    if family == "DistilBert":
        shape = {"n_layers": 2, "dim": HIDDEN, "n_heads": HEADS, "hidden_dim": 48}
        drops = {"dropout": dropout, "attention_dropout": dropout}
    else:
        shape = {"num_hidden_layers": 3, "hidden_size": HIDDEN, "num_attention_heads": HEADS, "intermediate_size": 48}
        drops = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    config = getattr(transformers, f"{family}Config")(**common, **shape, **drops, attn_implementation="eager")
    found = getattr(transformers, f"{family}Model")(config).train()
    with torch.no_grad():
        for parameter in found.parameters():
            if parameter.ndim == 1:
                parameter += 0.2 * torch.randn_like(parameter)
    return found


def batch() -> TokenBatch:
    generator = torch.Generator().manual_seed(2)
    mask = (torch.arange(WIDTH) < torch.tensor(LENGTHS)[:, None]).long()
    ids = torch.where(mask > 0, torch.randint(5, 60, (COUNT, WIDTH), generator=generator), 1)
    return TokenBatch(ids, mask, LENGTHS)


def padded(model: Any, pooling: Pooling, device: str = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
    tokens = batch()
    mask = tokens.mask_NL.repeat(VIEWS, 1).to(device)
    output = model(
        tokens.ids_NL.repeat(VIEWS, 1).to(device), attention_mask=mask, output_hidden_states=needs_all_layers(pooling)
    )
    return pool(output, mask, pooling), output.last_hidden_state * mask[..., None]


def packed(model: Any, pooling: Pooling, states: bool, device: str = "cpu") -> tuple[torch.Tensor, torch.Tensor | None]:
    return forward.trained(model, batch().ids_NL.to(device), Packing(LENGTHS, WIDTH, VIEWS), pooling, states)


def gradients(model: Any, rows: torch.Tensor, states: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """Of a function that weighs every number differently."""
    generator = torch.Generator().manual_seed(3)
    loss = (rows * torch.randn(rows.shape, generator=generator)).mean()
    if states is not None:
        loss = loss + (states * torch.randn(states.shape, generator=generator)).mean()
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


FAMILIES = ["Bert", "Roberta", "XLMRoberta", "Camembert", "DistilBert"]


@pytest.mark.parametrize("states", [False, True], ids=["rows", "states"])
@pytest.mark.parametrize(
    ("family", "pooling"),
    [
        *((name, "cls_before_pooler") for name in FAMILIES),
        *(("Bert", p) for p in ("cls", "mean", "first_last", "top2")),
    ],
)
def test_rows_states_and_all_gradients_are_the_padded_ones(
    family: str, pooling: Pooling, states: bool, way: str
) -> None:
    model = encoder(family)
    assert fused.can_fuse(model, torch.device("cpu")) or way == "plain"
    rows, last = padded(model, pooling)
    expected = gradients(model, rows, last if states else None)
    found_rows, found_last = packed(model, pooling, states)
    found = gradients(model, found_rows, found_last)
    assert expected.keys() == found.keys()
    torch.testing.assert_close(found_rows, rows, rtol=0, atol=1e-5)
    assert (found_last is not None) == states
    if found_last is not None:
        torch.testing.assert_close(found_last, last, rtol=0, atol=1e-5)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-5, msg=name)
    assert max(g.abs().max() for g in expected.values()) > 0.01


class Injected(Draws):
    """Draws that come from masks of the padded forward, place by place, cut to what is there."""

    def __init__(self, masks: list[torch.Tensor]) -> None:
        self.masks = iter(masks)

    def anew(self) -> None:
        return None

    def bits(self, *shape: int) -> torch.Tensor:
        mask = next(self.masks)
        order = Packing(LENGTHS, WIDTH, VIEWS).order_N
        each = [(mask[v * COUNT + row], LENGTHS[row]) for v in range(VIEWS) for row in order]
        count = int(np.prod(shape))
        forms: list[Callable[[torch.Tensor, int], torch.Tensor]] = (
            [lambda m, n: m[:n], lambda m, n: m[:1]]
            if mask.ndim == 3
            else [lambda m, n: m[:, :n, :n].transpose(1, 2), lambda m, n: m[:, 0, :n].t()]  # key by key
        )
        cuts = [torch.cat([form(m, n).reshape(-1) for m, n in each]) for form in forms]
        spare = 0 if mask.ndim == 3 else 15
        (fitting,) = [cut for cut in cuts if len(cut) == count - spare]
        drawn = torch.where(fitting, 32767, -32768).to(torch.int16)
        return torch.cat([drawn, drawn.new_zeros(spare)]).view(shape)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Every dropout of torch draws from here, and what it kept is written down."""
    masks: list[torch.Tensor] = []
    generator = torch.Generator().manual_seed(4)

    def dropout(rows: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> torch.Tensor:
        if not training or p == 0:
            return rows
        masks.append(torch.rand(rows.shape, generator=generator) >= p)
        return rows * masks[-1] / (1 - p)

    monkeypatch.setattr(torch.nn.functional, "dropout", dropout)
    return masks


@pytest.mark.parametrize("pooling", ["cls_before_pooler", "mean"])
@pytest.mark.parametrize("family", ["Bert", "DistilBert"])
def test_with_equal_dropout_masks_too(
    family: str, pooling: Pooling, way: str, recorded: list[torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = encoder(family, dropout=0.3)
    rows, _ = padded(model, pooling)
    expected = gradients(model, rows, None)
    masks = [*recorded]
    assert len(masks) == (1 + 3 * 3 if family == "Bert" else 1 + 2 * 2)
    monkeypatch.setattr(forward, "Draws", lambda: Injected(masks))
    found_rows, _ = packed(model, pooling, False)
    found = gradients(model, found_rows, None)
    assert len(recorded) == len(masks), "the packed way asked torch for a mask"
    torch.testing.assert_close(found_rows, rows, rtol=0, atol=1e-5)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-5, msg=name)


def test_both_ways_draw_the_same_masks_and_a_seed_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    model = encoder("Bert", dropout=0.3)

    def once(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return packed(model, "cls_before_pooler", False)[0].detach()

    first, again, other = once(0), once(0), once(1)
    monkeypatch.setattr(forward, "can_fuse", lambda *_: False)
    plain = once(0)
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 0.1
    torch.testing.assert_close(plain, first, rtol=0, atol=1e-5)
    views = first.view(VIEWS, COUNT, -1)
    assert (views[0] - views[1]).abs().max() > 0.1


def test_draws_keep_the_share_they_should() -> None:
    torch.manual_seed(0)
    kept = Draws().keep(0.1, 1000, 1001)
    assert kept is not None
    mask = kept.mask()
    assert mask.unique().tolist() == pytest.approx([0.0, 1 / 0.9])
    assert mask.gt(0).float().mean().item() == pytest.approx(0.9, abs=0.002)
    assert Draws().keep(0.0, 3) is None
    assert Draws().keep_scores(0.0, 3) is None
    scores = Draws().keep_scores(0.1, 3)
    assert scores is not None
    assert scores.bits.shape == (3,)
    assert scores.bits.untyped_storage().nbytes() >= 2 * (3 + 15)


def test_threads_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    if way == "plain":
        pytest.skip("torch's own matter")
    monkeypatch.setattr(native, "_BLOCK", 64)  # many ranges, however small the model
    model, threads, results = encoder("Bert", dropout=0.2), torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(1)  # products of matrices are torch's
            torch.manual_seed(0)
            monkeypatch.setattr(native.torch, "get_num_threads", lambda count=count: count)
            rows, _ = packed(model, "mean", False)
            results.append([rows.detach(), *gradients(model, rows, None).values()])
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_without_gradients_the_rows_are_the_same_to_the_bit(way: str) -> None:
    """`micro_batch` encodes every piece twice, first without a graph, and losses see the first rows."""
    model, found = encoder("Bert", dropout=0.2), []
    for grad in (False, True):
        torch.manual_seed(0)
        with torch.set_grad_enabled(grad):
            found.append(packed(model, "mean", False)[0].detach())
    assert torch.equal(*found)


def test_a_graph_may_be_walked_twice(way: str) -> None:
    """Gradient analysis asks a step's graph for the gradient of each term."""
    model = encoder("Bert")
    rows, _ = packed(model, "cls_before_pooler", False)
    weights = [*model.encoder.parameters()]
    one = torch.autograd.grad(rows.sum(), weights, retain_graph=True)
    two = torch.autograd.grad(rows.sum(), weights, retain_graph=True)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("pooling", ["cls_before_pooler", "mean"])
def test_bf16_stays_near(pooling: Pooling, way: str) -> None:
    model = encoder("Bert")
    rows, _ = padded(model, pooling)
    expected = gradients(model, rows, None)
    with torch.autocast("cpu", torch.bfloat16):
        found_rows, _ = packed(model, pooling, False)
    found = gradients(model, found_rows, None)
    assert (found_rows - rows).abs().max() < 0.05 * rows.abs().max()
    flat = [torch.cat([g[name].flatten() for name in expected]) for g in (expected, found)]
    assert torch.cosine_similarity(*flat, dim=0) > 0.999


def test_not_a_number_is_not_swept_under(way: str) -> None:
    model = encoder("Bert")
    with torch.no_grad():
        model.encoder.layer[1].output.dense.weight[0, 0] = float("nan")
    assert packed(model, "mean", False)[0].isnan().all()


def test_no_gradient_is_forgotten(way: str) -> None:
    model = encoder("Bert")
    rows, last = packed(model, "cls", True)
    found = gradients(model, rows, last)
    assert found.keys() == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize("pooling", ["cls_before_pooler", "mean"])
def test_the_way_of_a_gpu_is_the_same_mathematics(pooling: Pooling, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nested tensors and the padded last question, here on a CPU, where torch has both though nobody would use them."""
    monkeypatch.setattr(forward, "can_fuse", lambda *_: False)
    monkeypatch.setattr(plain, "on_host", lambda states: False)
    model = encoder("Bert")
    rows, _ = padded(model, pooling)
    expected = gradients(model, rows, None)
    found_rows, _ = packed(model, pooling, False)
    found = gradients(model, found_rows, None)
    torch.testing.assert_close(found_rows, rows, rtol=0, atol=1e-5)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-5, msg=name)
