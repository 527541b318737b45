"""Networks of losses: shapes, and what padding, caps and options do."""

from __future__ import annotations

import math

import pytest
import torch

from dalr_bench import SuiteError
from dalr_bench_plugins.networks.heads import BatchNormProjector, Tower, head
from dalr_bench_plugins.networks.image_tower import ImageTower
from dalr_bench_plugins.networks.scale import LogitScale
from dalr_bench_plugins.networks.token_transformer import MaskedWordModel, Shape, TokenTransformer, Words

SHAPE = Shape(vocabulary=20, width=8, layers=2, heads=2, positions=12, dropout=0.0)


def test_heads() -> None:
    row = torch.randn(3, 4) * 100
    assert head("tanh", 4, 2)(row).abs().max() <= 1
    assert head("linear", 4, 2)(row).abs().max() > 1
    assert torch.equal(head("none", 4, 4)(row), row)
    with pytest.raises(SuiteError, match="4 wide"):
        head("none", 4, 2)


def test_batchnorm_projector_standardises() -> None:
    out = BatchNormProjector(6)(torch.randn(64, 6) * 5 + 3)
    assert torch.allclose(out.mean(0), torch.zeros(6), atol=1e-5)
    assert torch.allclose(out.var(0, unbiased=False), torch.ones(6), atol=1e-3)


@pytest.mark.parametrize("layers", [1, 3])
def test_tower_depth(layers: int) -> None:
    tower = Tower([6, *[5] * (layers - 1), 4], batchnorm=True, final=True)
    assert sum(isinstance(step, torch.nn.Linear) for step in tower.steps) == layers
    assert tower(torch.randn(5, 6)).shape == (5, 4)


@pytest.mark.parametrize(
    ("pixels", "channels"), [(16, [4]), (32, [4, 6, 8, 8]), (30, [4, 4, 4]), (64, [2, 2, 2, 2, 2])]
)
def test_image_tower_takes_pictures_of_its_size(pixels: int, channels: list[int]) -> None:
    pictures = torch.randint(256, (2, 3, pixels, pixels), dtype=torch.uint8)
    assert ImageTower(pixels, channels, 5)(pictures).shape == (2, 5)


def test_image_tower_sees_where_things_are() -> None:
    """The same dot in another corner is another row: relations of place can be learned."""
    tower = ImageTower(16, [4, 4], 5).eval()
    pictures = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    pictures[0, :, :4, :4] = 255
    pictures[1, :, -4:, -4:] = 255
    out = tower(pictures)
    assert not torch.allclose(out[0], out[1])


def test_logit_scale_cap_and_bias() -> None:
    scale = LogitScale(10.0, 100.0, -10.0, learned=True)
    assert torch.allclose(scale(torch.ones(1)), torch.zeros(1), atol=1e-5)
    with torch.no_grad():
        scale.log_scale.fill_(math.log(1e4))
    assert scale.scale.item() == pytest.approx(100)
    assert LogitScale(10.0, None, None, learned=True).bias is None


def test_transformer_does_not_look_at_padding() -> None:
    model = TokenTransformer(SHAPE).eval()
    ids = torch.tensor([[1, 5, 6, 0, 0], [1, 7, 8, 9, 2]])
    mask = (ids != 0).long()
    other = ids.masked_fill(mask == 0, 11)
    assert torch.allclose(model(ids, mask)[mask == 1], model(other, mask)[mask == 1], atol=1e-6)


def test_transformer_first_place_is_the_condition() -> None:
    model = TokenTransformer(SHAPE).eval()
    ids, mask, first = torch.tensor([[1, 5, 6]]), torch.ones(1, 3), torch.randn(1, 8)
    other = torch.tensor([[9, 5, 6]])
    assert torch.allclose(model(ids, mask, first), model(other, mask, first), atol=1e-6)
    assert not torch.allclose(model(ids, mask, first), model(ids, mask))


def test_masked_word_model_shares_its_table() -> None:
    model = MaskedWordModel(SHAPE)
    ids = torch.randint(20, (2, 4))
    assert model(ids, torch.ones_like(ids)).shape == (2, 4, 20)
    tables = [p for p in model.parameters() if p.shape == (20, 8)]
    assert len(tables) == 1


def test_words_knows_the_special_ones() -> None:
    words = Words(6, frozenset({0, 3}))
    assert words(torch.tensor([[0, 1], [3, 5]])).tolist() == [[False, True], [False, True]]
    assert words.state_dict() == {}  # follows from the tokenizer, so no checkpoint holds it


@pytest.mark.parametrize("network", [Tower([6, 5, 4], batchnorm=True, final=True), BatchNormProjector(6)])
def test_one_row_is_normalised_by_what_was_seen(network: torch.nn.Module) -> None:
    """A batch of one row has no variance; torch's own BatchNorm raises there."""
    network(torch.randn(32, 6) * 3 + 1)
    before = {name: value.clone() for name, value in network.named_buffers()}
    row = torch.randn(1, 6, requires_grad=True)
    trained = network(row)
    (gradient,) = torch.autograd.grad(trained.square().sum(), row)
    assert torch.equal(trained, network.eval()(row))
    assert gradient.isfinite().all()
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())
