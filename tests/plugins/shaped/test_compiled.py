"""The compiled forward itself: the padded one's rows and gradients, one graph for a shape, draws that follow torch's seed.

Minutes of a C++ compiler; CI keeps tests/train/test_compiling.py, and the same forward uncompiled in test_forward.py.
"""

from __future__ import annotations

import pytest
import torch
from compilers import QUIET, counted, with_a_compiler
from torch._inductor import config as inductor

from dalr_bench import TokenBatch
from dalr_bench_plugins.networks.pooling import Pooling
from dalr_bench_plugins.shaped import slices
from dalr_bench_plugins.shaped.compiled import Compiled
from tests.plugins.packed.test_training import LENGTHS, VIEWS, batch, encoder, gradients, padded

MOST = 26
pytestmark = QUIET


@pytest.fixture(autouse=True)
def _small_slices(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_compiler(tmp_path_factory, monkeypatch)
    monkeypatch.setitem(slices._ROWS, "cpu", 4)
    torch.compiler.reset()


def same_as_padded(family: str, pooling: Pooling, states: bool) -> None:
    model = encoder(family)
    rows, last = padded(model, pooling)
    mask = batch().mask_NL.repeat(VIEWS, 1)[..., None]
    expected = gradients(model, rows, last if states else None)
    made = Compiled(model, pooling, (MOST, 1), "default")
    with counted() as seen:
        found_rows, found_last = made(batch(), VIEWS, states)
        found = gradients(model, found_rows, None if found_last is None else found_last * mask)
    assert seen == {"graphs": 2, "breaks": 0}  # slices of width 8 and 24
    torch.testing.assert_close(found_rows, rows, rtol=0, atol=1e-5)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-5, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("states", [False, True], ids=["rows", "states"])
@pytest.mark.parametrize(
    ("family", "pooling"),
    [
        ("Bert", "cls_before_pooler"),
        ("Roberta", "cls_before_pooler"),
        ("DistilBert", "mean"),
        ("Bert", "cls"),
        ("Bert", "top2"),
    ],
)
def test_rows_states_and_all_gradients_are_the_padded_ones(family: str, pooling: Pooling, states: bool) -> None:
    same_as_padded(family, pooling, states)


def one(model: torch.nn.Module, seed: int, gradient: bool = True) -> torch.Tensor:
    """Rows with dropout of the first four sentences, which are one slice."""
    made = Compiled(model, "cls_before_pooler", (MOST, 1), "default")
    some = TokenBatch(batch().ids_NL[:4, :12], batch().mask_NL[:4, :12], LENGTHS[:4])
    torch.manual_seed(seed)
    with torch.set_grad_enabled(gradient):
        return made(some, VIEWS, False)[0]


@pytest.mark.slow
def test_draws_follow_the_seed_with_and_without_a_graph() -> None:
    """The pass without gradients (a batch in pieces) drops what the pass with them drops, to the bit."""
    model = encoder("Bert", dropout=0.3)
    first, again, without, other = one(model, 0), one(model, 0), one(model, 0, gradient=False), one(model, 1)
    assert torch.equal(first, again)
    assert torch.equal(first, without)
    assert first.requires_grad
    assert not without.requires_grad
    assert (first - other).abs().max() > 0.1
    views = first.detach().view(VIEWS, 4, -1)
    assert (views[0] - views[1]).abs().max() > 0.1


@pytest.mark.slow
def test_with_torchs_own_draws_it_is_the_uncompiled_forward() -> None:
    """inductor draws its own way unless told to ask torch: then every mask is the one that plain operations draw."""
    from dalr_bench_plugins.shaped.forward import through

    model = encoder("Bert", dropout=0.3)
    with inductor.patch(fallback_random=True):
        found = gradients(model, one(model, 3), None)
    made = Compiled(model, "cls_before_pooler", (MOST, 1), "default")
    made._run = through
    torch.manual_seed(3)
    some = TokenBatch(batch().ids_NL[:4, :12], batch().mask_NL[:4, :12], LENGTHS[:4])
    wanted = gradients(model, made(some, VIEWS, False)[0], None)
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-5, msg=name)
