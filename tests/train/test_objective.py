"""A run's objective: whatever losses and their parts are called, they are trained, saved and found again."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dalr_bench.train.objective import Objective, Term
from dalr_bench.types import LossInputs, LossOutput


class Loss:
    """Parts with names that containers of modules use themselves."""

    def __init__(self) -> None:
        self.values, self.head, self.train = nn.Linear(2, 3), nn.Linear(2, 2), nn.Linear(1, 1)

    def __call__(self, inputs: LossInputs) -> LossOutput:
        raise AssertionError("not asked")


PARAMETERS = 9 + 6 + 2


# What torch's Module, this project's Objective and dict have as attributes, and a label that looks like its stand-in.
@pytest.mark.parametrize("labels", [["type"], ["train", "train_"], ["views", "spaces", "terms"], ["half", "keys", "info"]])
def test_any_label_will_do(labels: list[str]) -> None:
    found = Objective([Term(label, Loss(), 1.0) for label in labels])
    assert sum(weight.numel() for weight in found.parameters()) == PARAMETERS * len(labels)
    assert len(found.state_dict()) == 6 * len(labels)
    again = Objective([Term(label, Loss(), 1.0) for label in labels])
    again.load_state_dict(found.state_dict())
    ours, theirs = ([term.loss for term in one.terms] for one in (found, again))
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.equal(mine.values.weight, other.values.weight)
        assert torch.equal(mine.train.weight, other.train.weight)


def test_ordinary_names_are_those_of_saved_weights() -> None:
    assert set(Objective([Term("grounding", Loss(), 1.0)]).state_dict()) >= {"grounding.head.weight", "grounding.head.bias"}


def test_a_stream_has_the_views_of_its_own_terms() -> None:
    """A view more would be a forward pass more, and other dropout masks."""

    class One(Loss):
        views = 1

    found = Objective([Term("both", Loss(), 1.0, ("pairs",)), Term("one", One(), 1.0), Term("none", One(), 0.0, ("text",))])
    assert (found.views("pairs"), found.views("text")) == (2, 1)
