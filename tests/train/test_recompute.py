"""Layers computed again: the same step to the bit, with less kept for the backward pass."""

from __future__ import annotations

import pytest
import torch
from every_loss import engine, kept_bytes, weights

from dalr_bench import SuiteError
from dalr_bench.train.engine import Watch
from dalr_bench.train.recompute import recomputing


@pytest.mark.parametrize("micro_batch", [None, 4])
def test_equal_to_the_bit_with_dropout(micro_batch: int | None) -> None:
    plain, again = (
        engine(["info"], dropout=0.3, single=True, gradient_checkpointing=on, micro_batch=micro_batch)
        for on in (False, True)
    )
    for made in (plain, again):
        made.train(Watch(lambda step, steps, values: None))
    wanted = weights(plain)
    assert all(torch.equal(value, wanted[name]) for name, value in weights(again).items())


def test_less_is_kept_and_evaluation_finds_the_student_as_it_was() -> None:
    made = engine(["info"], dropout=0.3, single=True)
    plain = kept_bytes(made)
    with recomputing(made.student, True):
        assert kept_bytes(made) < 0.6 * plain
    assert kept_bytes(made) == plain


def test_a_backbone_that_cannot_is_told() -> None:
    with (
        pytest.raises(SuiteError, match="gradient_checkpointing: Linear cannot"),
        recomputing(torch.nn.Linear(1, 1), True),
    ):
        pass
