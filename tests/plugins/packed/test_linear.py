"""Products by oneDNN: those of F.linear, with its gradients, and F.linear itself where it is not preferred."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from dalr_bench_plugins.packed import linear as module
from dalr_bench_plugins.packed.linear import linear, prefers_onednn, ready


@pytest.mark.parametrize("biased", [False, True])
def test_products_and_gradients_are_those_of_torch(biased: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "prefers_onednn", lambda: True)
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch carries no oneDNN")
    generator = torch.Generator().manual_seed(0)
    shapes = [(37, 24), (40, 24), *([(40,)] if biased else [])]
    given = [torch.randn(shape, generator=generator, requires_grad=True) for shape in shapes]
    weights = torch.randn(37, 40, generator=generator)
    found, expected = linear(*given), F.linear(*given)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    mine = torch.autograd.grad((found * weights).sum(), given)
    theirs = torch.autograd.grad((expected * weights).sum(), given)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=2e-5)


def test_a_frozen_weight_gets_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "prefers_onednn", lambda: True)
    rows, weight = torch.randn(3, 16, requires_grad=True), torch.randn(4, 16)
    linear(rows, weight).sum().backward()
    torch.testing.assert_close(rows.grad, weight.sum(0).expand(3, 16))


@pytest.mark.parametrize(("processor", "wanted"), [("GenuineIntel", False), ("AuthenticAMD", True)])
def test_the_processor_decides(processor: str, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch carries no oneDNN")
    monkeypatch.setattr(module, "_processor", lambda: processor)
    assert prefers_onednn.__wrapped__() is wanted


def test_bf16_is_left_to_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(torch.randn(3, 16), torch.randn(4, 16)).dtype == torch.bfloat16


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_weight_made_ready_gives_the_same_bits(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch carries no oneDNN")
    monkeypatch.setattr(module, "prefers_onednn", lambda: True)
    rows, weight, bias = torch.randn(37, 48), torch.randn(64, 48), torch.randn(64)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        held = ready(weight, 37)
        assert held.dtype == torch.bfloat16 if precision == "bf16" else held.is_mkldnn
        for count in (37, 5):
            assert torch.equal(linear(rows[:count], held, bias), linear(rows[:count], weight, bias))


def test_where_torch_multiplies_a_weight_is_ready_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "prefers_onednn", lambda: False)
    weight = torch.randn(64, 48, requires_grad=True)
    assert ready(weight, 5).data_ptr() == weight.data_ptr()
