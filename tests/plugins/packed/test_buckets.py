"""Buckets of similar length: fewest padded tokens, rows in their order, an encoder's own forward throughout."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from dalr_bench import TokenBatch
from dalr_bench_plugins.backbones.hf import hf
from dalr_bench_plugins.networks.encoder import SentenceEncoder
from dalr_bench_plugins.packed.buckets import split

WORDS = ("a", "man", "plays", "guitar", "the", "dog", "sleeps", "on", "sofa", "today")


def cost(buckets: list[list[int]], overhead: int) -> int:
    return sum(len(bucket) * max(bucket) + overhead for bucket in buckets)


@pytest.mark.parametrize("overhead", [0, 5, 12, 1000])
def test_the_split_is_the_cheapest_of_all(overhead: int) -> None:
    lengths = np.random.default_rng(0).integers(1, 12, 14)
    found = split(lengths, overhead)
    assert sorted(np.concatenate(found).tolist()) == list(range(14))
    ordered = sorted(lengths.tolist())
    every = [
        cost([ordered[a:b] for a, b in zip((0, *cuts), (*cuts, 14), strict=True)], overhead)
        for count in range(14)
        for cuts in combinations(range(1, 14), count)
    ]
    assert cost([lengths[rows].tolist() for rows in found], overhead) == min(every)


def test_long_ranges_stay_cheap() -> None:
    lengths = np.random.default_rng(1).integers(1, 512, 4000)
    found = split(lengths, 64)
    assert 2 < len(found) <= 48
    assert sum(len(rows) * int(lengths[rows].max()) for rows in found) < 1.05 * lengths.sum()


def student(**options: Any) -> SentenceEncoder:
    torch.manual_seed(0)
    shape = {"hidden": 32, "heads": 2, "feed_forward": 48, "layers": 2, "hidden_dropout": 0.0, "head": "none"}
    return hf(**{**shape, **options}, vocabulary=WORDS)


def tokens(made: SentenceEncoder, counts: list[int]) -> TokenBatch:
    ids = made.tokenizer([" ".join(WORDS[k % 10] for k in range(n)) for n in counts])
    lengths = np.array([len(row) for row in ids])
    width = int(lengths.max())
    table = torch.full((len(ids), width), made.tokenizer.pad_id)
    for row, found in enumerate(ids):
        table[row, : len(found)] = torch.tensor(found)
    return TokenBatch(table, (torch.arange(width) < torch.tensor(lengths)[:, None]).long(), lengths)


def encoded(made: SentenceEncoder, batch: TokenBatch) -> tuple[Any, dict[str, torch.Tensor]]:
    encoding = made.encode(batch, views=2, states=True)
    assert encoding.states_NVLD is not None
    states = encoding.states_NVLD * batch.mask_NL[:, None, :, None]
    weights = torch.linspace(-1, 1, states.shape[-1])
    made.zero_grad()
    ((encoding.projected_NVD * weights).square().mean() + (states * weights).square().mean()).backward()
    gradients = {name: p.grad.clone() for name, p in made.named_parameters() if p.grad is not None}
    return (encoding.pooled_NVD.detach(), states.detach()), gradients


def calls_of(made: SentenceEncoder) -> list[tuple[int, ...]]:
    seen: list[tuple[int, ...]] = []
    inner = made.encoder.forward

    def counting(*args: Any, **kwargs: Any) -> Any:
        seen.append(tuple(kwargs["input_ids"].shape))
        return inner(*args, **kwargs)

    made.encoder.forward = counting
    return seen


@pytest.mark.parametrize("pooling", ["cls_before_pooler", "mean"])
@pytest.mark.parametrize("kind", ["known", "lora", "hooked"])
def test_every_way_gives_the_padded_encoding(kind: str, pooling: str) -> None:
    if kind == "lora":
        pytest.importorskip("peft")
    made = student(pooling=pooling, **({"lora_rank": 2} if kind == "lora" else {})).train()
    batch = tokens(made, [1, 9, 1, 2, 30, 1, 2, 29, 1, 1, 2, 30] * 3)
    expected = encoded(made, TokenBatch(batch.ids_NL, batch.mask_NL))
    looked: list[int] = []
    if kind == "hooked":
        made.encoder.encoder.layer[0].register_forward_hook(lambda module, args, out: looked.append(1))
    calls = calls_of(made)
    found = encoded(made, batch)
    widths = {"known": 0, "hooked": 1}
    assert len(calls) == widths.get(kind, len(calls))
    assert kind != "lora" or len(calls) > 1
    assert sum(rows for rows, _ in calls) in (0, 2 * len(batch.ids_NL))
    assert len(looked) == (kind == "hooked")
    for one, other in zip(found[0], expected[0], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    assert found[1].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=0, atol=1e-5, msg=name)


def test_a_sentence_without_tokens_is_padded() -> None:
    made = student()
    batch = tokens(made, [2, 3])
    calls = calls_of(made)
    made.encode(TokenBatch(batch.ids_NL, batch.mask_NL, np.array([0, 5])), views=1, states=False)
    assert len(calls) == 1
