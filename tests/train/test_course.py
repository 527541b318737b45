"""Which weights are kept: the best by dev, the earlier of two equals."""

from __future__ import annotations

import torch
from torch import nn

from dalr_bench.train.course import Keeper


def test_the_earlier_of_two_equals_stays_and_restoring_brings_it_back() -> None:
    student, objective = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    keeper = Keeper(student, objective)
    kept = []
    for step, value in enumerate((-0.5, 0.3, 0.3, 0.2, 0.4, 0.4)):
        with torch.no_grad():
            student.weight.fill_(step)
            objective.weight.fill_(10 + step)
        kept.append(keeper.offer(value))
    assert kept == [True, True, False, False, True, False]
    keeper.restore()
    assert (student.weight.item(), objective.weight.item(), keeper.best) == (4.0, 14.0, 0.4)


def test_what_is_kept_is_a_copy() -> None:
    student = nn.Linear(1, 1, bias=False)
    keeper = Keeper(student, nn.Identity())
    before = student.weight.item()
    keeper.offer(0.0)
    with torch.no_grad():
        student.weight.add_(1)
    keeper.restore()
    assert student.weight.item() == before
