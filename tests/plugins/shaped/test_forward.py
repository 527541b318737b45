"""Slices and their forward without a compiler, for every family, pooler and what is read: the encoder's own padded forward."""

from __future__ import annotations

import pytest
import torch

from dalr_bench import TokenBatch
from dalr_bench_plugins.networks.pooling import Pooling
from dalr_bench_plugins.shaped import slices
from dalr_bench_plugins.shaped.compiled import Compiled
from dalr_bench_plugins.shaped.forward import through
from tests.plugins.packed.test_training import FAMILIES, LENGTHS, VIEWS, batch, encoder, gradients, padded

MOST = 26  # no step of the grid: the model's own limit


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(slices._ROWS, "cpu", 4)


@pytest.mark.parametrize("states", [False, True], ids=["rows", "states"])
@pytest.mark.parametrize(
    ("family", "pooling"),
    [
        *((name, "cls_before_pooler") for name in FAMILIES),
        *(("Bert", p) for p in ("cls", "mean", "first_last", "embeddings_last", "top2")),
    ],
)
def test_rows_states_and_all_gradients_are_the_padded_ones(family: str, pooling: Pooling, states: bool) -> None:
    model = encoder(family)
    rows, last = padded(model, pooling)
    expected = gradients(model, rows, last if states else None)
    made = Compiled(model, pooling, (MOST, 1), "default")
    made._run = through
    found_rows, found_last = made(batch(), VIEWS, states)
    found = gradients(model, found_rows, _real(found_last))
    torch.testing.assert_close(found_rows, rows, rtol=0, atol=1e-5)
    assert (found_last is not None) == states
    if states:
        torch.testing.assert_close(_real(found_last), last, rtol=0, atol=1e-5)
    assert {name for name, value in found.items() if value.any()} == {n for n, v in expected.items() if v.any()}
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-5, msg=name)


def _real(states: torch.Tensor | None) -> torch.Tensor | None:
    """Nothing where there is no token, as `padded` of the packed tests has it."""
    return None if states is None else states * batch().mask_NL.repeat(VIEWS, 1)[..., None]


def test_what_fills_a_slice_up_takes_no_part() -> None:
    """Seven rows in slices of four: the eighth is a copy, and neither rows nor gradients know of it."""
    seven = TokenBatch(batch().ids_NL[:7], batch().mask_NL[:7], LENGTHS[:7])
    model, found = encoder("Bert"), []
    for rows in (4, 7):
        slices._ROWS["cpu"] = rows
        made = Compiled(model, "mean", (MOST, 1), "default")
        made._run = through
        found.append(gradients(model, made(seven, VIEWS, False)[0], None))
    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][name], rtol=0, atol=1e-5, msg=name)


def test_views_drop_other_units_and_a_seed_the_same_ones() -> None:
    model = encoder("Bert", dropout=0.3)
    made = Compiled(model, "cls_before_pooler", (MOST, 1), "default")
    made._run = through
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(made(batch(), VIEWS, False)[0].detach())
    assert torch.equal(found[0], found[1])
    assert (found[0] - found[2]).abs().max() > 0.1
    first, second = found[0].view(VIEWS, len(LENGTHS), -1)
    assert (first - second).abs().max() > 0.1
