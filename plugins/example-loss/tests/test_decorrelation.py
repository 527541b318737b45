import math

import pytest
import torch
from decorrelation import Decorrelation

from dalr_bench import Batch, Encoding, LossInputs, TokenBatch
from dalr_bench.conformance import conforms


def inputs(*views):
    one = torch.ones(len(views[0]), 1, dtype=torch.long)
    batch = Batch("text", torch.arange(len(one)), TokenBatch(one, one), None, {})
    rows = torch.stack(views, 1)
    return LossInputs(batch, Encoding(rows, rows), {}, {}, 0, torch.Generator())


@pytest.mark.parametrize("unbiased", [True, False])
def test_value_in_loops(unbiased):
    views = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    total = 0.0
    for rows in views.tolist():
        means = [sum(column) / 5 for column in zip(*rows, strict=True)]
        for i in range(3):
            for j in range(3):
                if i != j:
                    cov = sum((row[i] - means[i]) * (row[j] - means[j]) for row in rows) / (4 if unbiased else 5)
                    total += cov**2 / 3 / 2
    assert math.isclose(Decorrelation(unbiased)(inputs(*views)).loss.item(), total, rel_tol=1e-5)


def test_independent_columns_cost_nothing():
    rows = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert Decorrelation()(inputs(rows, rows)).loss.item() == 0.0


def test_it_keeps_the_contract():
    conforms("loss/decorrelation")
