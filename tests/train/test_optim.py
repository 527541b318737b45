"""Which weights decay, at which rate they learn, and what the rate does over the steps."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from dalr_bench.config import TrainOptions
from dalr_bench.train.optim import clip, optimizer, rate_factor, set_rate


def options(**given: Any) -> TrainOptions:
    return TrainOptions.model_validate({"steps": 10, "lr": 1e-2, **given})


def student() -> nn.Module:
    found = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    found[3].requires_grad_(False)
    return found


def test_every_trainable_weight_is_in_one_group_and_vectors_never_decay() -> None:
    module, loss = student(), nn.Linear(2, 3)
    adam = optimizer(module, loss, options(weight_decay=0.1, head_lr=0.5))
    found = {id(weight): (group["lr"], group["weight_decay"]) for group in adam.param_groups for weight in group["params"]}
    assert sum(len(group["params"]) for group in adam.param_groups) == len(found)
    wanted = {id(p): (1e-2, 0.1 if p.ndim > 1 else 0.0) for p in module.parameters() if p.requires_grad}
    wanted |= {id(p): (0.5, 0.1 if p.ndim > 1 else 0.0) for p in loss.parameters()}
    assert found == wanted
    assert len(wanted) == 5 + 2


def test_without_a_rate_of_their_own_losses_learn_as_the_student_does() -> None:
    adam = optimizer(student(), nn.Linear(2, 3), options())
    assert {group["lr"] for group in adam.param_groups} == {1e-2}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, [1 - step / 10 for step in range(10)]),  # transformers' linear schedule: full at once, 1/10 in the last step
        ({"warmup": 0.4}, [0.25, 0.5, 0.75, 1.0, *((10 - step) / 6 for step in range(4, 10))]),
        ({"schedule": "constant", "warmup": 0.2}, [0.5, 1.0, *[1.0] * 8]),
        ({"schedule": "cosine"}, [0.5 * (1 + math.cos(math.pi * step / 10)) for step in range(10)]),
    ],
)
def test_the_rate_of_every_step(given: dict[str, Any], wanted: list[float]) -> None:
    assert [rate_factor(step, 10, options(**given)) for step in range(10)] == pytest.approx(wanted)


def test_both_rates_fall_alike() -> None:
    chosen = options(head_lr=0.5)
    adam = optimizer(student(), nn.Linear(2, 3), chosen)
    assert set_rate(adam, 5, 10, chosen) == 0.5
    assert sorted({group["lr"] for group in adam.param_groups}) == [0.5e-2, 0.25]


def test_gradients_are_cut_to_a_joint_norm() -> None:
    weights = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(3))]
    weights[0].grad, weights[1].grad = torch.tensor([3.0, 0.0]), torch.tensor([4.0])
    assert float(clip(weights, 10.0)) == pytest.approx(5)
    assert weights[0].grad.tolist() == [3.0, 0.0]
    assert float(clip(weights, 1.0)) == pytest.approx(5)
    assert torch.cat([weights[0].grad, weights[1].grad]).norm().item() == pytest.approx(1, rel=1e-5)
    assert weights[2].grad is None
