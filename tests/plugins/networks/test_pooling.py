"""Poolers against the same thing written in loops."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from dalr_bench_plugins.networks.pooling import MEAN_OF_LAYERS, masked_mean, needs_all_layers, pool

N, L, D, LAYERS = 3, 5, 4, 3
LENGTHS = [5, 2, 1]


@pytest.fixture
def output() -> SimpleNamespace:
    torch.manual_seed(0)
    hidden = tuple(torch.randn(N, L, D) for _ in range(LAYERS + 1))
    return SimpleNamespace(hidden_states=hidden, last_hidden_state=hidden[-1], pooler_output=torch.randn(N, D))


@pytest.fixture
def mask_NL() -> torch.Tensor:
    return torch.tensor([[1] * length + [0] * (L - length) for length in LENGTHS])


# What each name means, said a second time: layers by their number from the embedding layer's 0 up.
MEANINGS = {"mean": [3], "first_last": [1, 3], "embeddings_last": [0, 3], "top2": [2, 3]}


@pytest.mark.parametrize("pooling", sorted(MEANINGS))
def test_mean_poolers_in_loops(pooling: str, output: SimpleNamespace, mask_NL: torch.Tensor) -> None:
    got = pool(output, mask_NL, pooling)  # type: ignore[arg-type]  # a name from a list
    for sentence, length in enumerate(LENGTHS):
        for column in range(D):
            values = [
                sum(float(output.hidden_states[layer][sentence, token, column]) for layer in MEANINGS[pooling])
                / len(MEANINGS[pooling])
                for token in range(length)
            ]
            assert float(got[sentence, column]) == pytest.approx(sum(values) / length, abs=1e-6)


def test_every_mean_pooler_is_checked() -> None:
    assert set(MEANINGS) == set(MEAN_OF_LAYERS)


def test_cls_poolers(output: SimpleNamespace, mask_NL: torch.Tensor) -> None:
    assert torch.equal(pool(output, mask_NL, "cls"), output.pooler_output)
    assert torch.equal(pool(output, mask_NL, "cls_before_pooler"), output.last_hidden_state[:, 0])


def test_padding_does_not_count(mask_NL: torch.Tensor) -> None:
    states = torch.randn(N, L, D)
    changed = states.clone()
    changed[1, 2:] = 1e6
    assert torch.equal(masked_mean(states, mask_NL), masked_mean(changed, mask_NL))


def test_no_token_gives_zeros_not_nan() -> None:
    assert masked_mean(torch.randn(1, 2, 3), torch.zeros(1, 2)).tolist() == [[0.0, 0.0, 0.0]]


def test_only_layer_means_need_all_layers() -> None:
    assert [needs_all_layers(name) for name in ("cls", "mean", "top2", "first_last")] == [False, False, True, True]
