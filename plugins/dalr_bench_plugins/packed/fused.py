"""The pieces of a layer on a CPU, each one pass over memory: `kernels.cpp` with gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from transformers.activations import GELUActivation

from dalr_bench_plugins.packed.draws import Draws, Kept
from dalr_bench_plugins.packed.layers import Layer, layers
from dalr_bench_plugins.packed.linear import linear, linear_gelu
from dalr_bench_plugins.packed.native import Call, Dropping, Sentences, by_rows, library, ranges
from dalr_bench_plugins.packed.packing import Packing
from dalr_bench_plugins.packed.plain import Pair
from dalr_bench_plugins.packed.weights import Held, Live

_LANES = 16
_FORMS = (torch.float32, torch.bfloat16)


def can_fuse(encoder: Any, device: torch.device) -> bool:
    """Whether the kernels are there and have this encoder's form: fp32 parameters, widths they take, exact GELU."""
    if device.type != "cpu":
        return False
    stack = layers(encoder)
    widths = {layer.widen.out_features for layer in stack}
    widths |= {layer.query.out_features // layer.heads for layer in stack}
    fits = all(width % _LANES == 0 for width in widths) and all(_exact_gelu(layer.activation) for layer in stack)
    return fits and next(encoder.parameters()).dtype == torch.float32 and library() is not None


def _exact_gelu(activation: Any) -> bool:
    return (type(activation) is GELUActivation and activation.act is F.gelu) or (
        type(activation) is nn.GELU and activation.approximate == "none"
    )


class Fused:
    """As `plain.Plain`; where autocast makes linear layers bf16, the residual stream stays fp32 beside a bf16 copy.

    `weights`: how the products read them; `Held` is for forwards that nobody asks a gradient of.
    """

    def __init__(self, draws: Draws | None, weights: Live | Held) -> None:
        self.draws, self.weights = draws, weights

    def begin(self) -> None:
        """A layer begins."""
        if self.draws is not None:
            self.draws.anew()

    def _only_looks(self) -> bool:
        """An evaluation, which may round otherwise: a step that encodes twice (`micro_batch`), first without a gradient, gets
        the same rows both times."""
        return self.draws is None and not torch.is_grad_enabled()

    def drop(self, states: torch.Tensor, share: float) -> torch.Tensor:
        """Dropout."""
        kept = self._keep(share, *states.shape)
        return states if kept is None else states * kept.mask()

    def _keep(self, share: float, *shape: int) -> Kept | None:
        return None if self.draws is None else self.draws.keep(share, *shape)

    def _keep_scores(self, layer: Layer, sentences: Sentences) -> Kept | None:
        return None if self.draws is None else self.draws.keep_scores(layer.attention_dropout, sentences.draws)

    def settle(
        self, rows: torch.Tensor, part: nn.Linear, kept: torch.Tensor, norm: nn.LayerNorm, share: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """LayerNorm(dropout(linear(rows)) + kept)."""
        fresh = linear(rows, self.weights.of(part))
        if self._only_looks():
            return _settled(fresh, part.bias, kept, norm)
        how = (norm.eps, self._keep(share, *fresh.shape))
        stream, feed = _applied(_Settle, fresh, part.bias, kept, norm.weight, norm.bias, how)
        return stream, feed

    def activate(
        self, rows: torch.Tensor, part: nn.Linear, activation: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """GELU(linear(rows))."""
        weight = self.weights.of(part)
        if self._only_looks() and (found := linear_gelu(rows, weight, part.bias)) is not None:
            return found
        before = linear(rows, weight)
        out: torch.Tensor = _applied(_Gelu, before, part.bias) if torch.is_grad_enabled() else _gelu(before, part.bias)
        return out

    def attend(self, states: torch.Tensor, layer: Layer, packing: Packing) -> torch.Tensor:
        """softmax(q k / sqrt(d)) v within each sentence, [V*T, H]."""
        return self.among(self.asked(states, layer), layer, packing)

    def asked(self, states: torch.Tensor, layer: Layer) -> torch.Tensor:
        """Queries, keys and values, [n, 3H]."""
        return linear(states, *self.weights.attention(layer))

    def among(self, qkv: torch.Tensor, layer: Layer, packing: Packing) -> torch.Tensor:
        """`attend` from there on."""
        sentences = _sentences(packing, layer, square=True)
        drawn = self._keep_scores(layer, sentences)
        if not torch.is_grad_enabled():
            return _attended(qkv, sentences, Dropping(drawn), None)
        out: torch.Tensor = _applied(_Attend, qkv, sentences, drawn)
        return out

    def attend_first(self, states: torch.Tensor, first: torch.Tensor, layer: Layer, packing: Packing) -> torch.Tensor:
        """As `attend`, where only the first token of each sentence asks: `first` [V*N, H] to [V*N, H].

        q'(W x + b) = (W'q)'x + q'b, and the sum of p (W x + b) is W (sum of p x) + b (sum of p): keys and values are
        never made for the tokens, whose states are read as they are.
        """
        heads, width = layer.heads, states.shape[-1] // layer.heads
        asks = layer.query(first).view(-1, heads, width)
        turned = torch.einsum("shd,hdc->shc", asks, _by_head(layer.key.weight, heads, asks)).float()
        offset = (asks.float() * layer.key.bias.view(heads, width)).sum(-1)
        sentences = _sentences(packing, layer, square=False)
        drawn = self._keep_scores(layer, sentences)
        found, total = _applied(_Gather, turned, offset, states, sentences, drawn)
        values = torch.einsum("shc,hdc->shd", found.to(asks.dtype), _by_head(layer.value.weight, heads, asks))
        out: torch.Tensor = values + (total[..., None] * layer.value.bias.view(heads, width)).to(values.dtype)
        return out.reshape(len(first), -1)


def _applied(function: Any, *arguments: Any) -> Any:
    return function.apply(*arguments)  # torch leaves `apply` untyped


def _by_head(weight: torch.Tensor, heads: int, like: torch.Tensor) -> torch.Tensor:
    return weight.view(heads, -1, weight.shape[-1]).to(like.dtype)


def _sentences(packing: Packing, layer: Layer, square: bool) -> Sentences:
    places = (packing.places_S(layer.heads, square, lanes) for lanes in (1, _LANES))
    width = layer.query.out_features // layer.heads
    return Sentences([packing.start_S, *places], layer.heads, width**-0.5)


class _Settle(torch.autograd.Function):
    """Two outputs, so that the way back adds their gradients itself: fp32 for the residual, `fresh`'s form to go on.

    `fresh` is overwritten by the normalised rows: it comes from a linear layer, which never reads its own output.
    """

    @staticmethod
    def forward(
        ctx: Any, fresh: Any, bias: Any, kept: Any, gain: Any, shift: Any, how: tuple[float, Kept | None]
    ) -> Any:
        ctx.set_materialize_grads(False)
        out, inverse = torch.empty_like(kept), torch.empty(len(fresh))
        low = None if fresh.dtype == torch.float32 else torch.empty_like(fresh)
        eps, drop = how[0], Dropping(how[1])
        call = Call("settle", fresh.dtype)
        by_rows(fresh.shape, lambda r, n: call(r, fresh, bias, kept, drop, gain, shift, eps, out, low, inverse))
        ctx.save_for_backward(fresh, inverse, gain)
        ctx.drop = drop
        return out, out.view_as(out) if low is None else low

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        normal, inverse, gain = ctx.saved_tensors
        grad, grad_low = (None if one is None else one.contiguous() for one in grads)
        if normal.dtype == torch.float32 and grad is None:
            grad, grad_low = grad_low, None
        fresh, kept = torch.empty_like(normal), torch.empty(normal.shape)
        parts = torch.empty(ranges(normal.shape), 3, normal.shape[1])
        call = Call("settle_back", normal.dtype)
        by_rows(
            normal.shape,
            lambda r, n: call(r, normal, inverse, grad, grad_low, ctx.drop, gain, fresh, kept, parts[n]),
        )
        gain_grad, shift_grad, bias_grad = parts.sum(0).unbind()
        return fresh, bias_grad, kept, gain_grad, shift_grad, None


def _settled(fresh: torch.Tensor, bias: Any, kept: torch.Tensor, norm: nn.LayerNorm) -> Pair:
    """In place of `fresh`, and nothing kept for a way back."""
    full, drop = fresh.dtype == torch.float32, Dropping(None)
    out, low, call = fresh if full else torch.empty_like(kept), None if full else fresh, Call("settle", fresh.dtype)
    by_rows(
        fresh.shape, lambda r, n: call(r, fresh, bias, kept, drop, norm.weight, norm.bias, norm.eps, out, low, None)
    )
    return out, fresh


class _Gelu(torch.autograd.Function):
    """`before` is overwritten by the slope: it comes from a linear layer, which never reads its own output."""

    @staticmethod
    def forward(ctx: Any, before: Any, bias: Any) -> Any:
        out, call = torch.empty_like(before), Call("gelu", before.dtype)
        by_rows(before.shape, lambda r, n: call(r, before, bias, before, out))
        ctx.save_for_backward(before)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        (slope,) = ctx.saved_tensors
        grad, out = grad.contiguous(), torch.empty_like(slope)
        parts = torch.empty(ranges(slope.shape), slope.shape[1])
        call = Call("gelu_back", slope.dtype)
        by_rows(slope.shape, lambda r, n: call(r, slope, grad, out, parts[n]))
        return out, parts.sum(0)


def _gelu(before: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """In place, without the slope."""
    call = Call("gelu", before.dtype)
    by_rows(before.shape, lambda r, n: call(r, before, bias, None, before))
    return before


def _attended(
    qkv: torch.Tensor, sentences: Sentences, drop: Dropping, probabilities: torch.Tensor | None
) -> torch.Tensor:
    """Probabilities are written where there is room for them."""
    out, call = qkv.new_empty(len(qkv), qkv.shape[1] // 3), Call("attend", qkv.dtype)
    width = out.shape[1] // sentences.heads
    sentences.over(width, len(qkv), lambda s, n: call(s, qkv, drop, probabilities, out))
    return out


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv: Any, sentences: Sentences, drawn: Kept | None) -> Any:
        drop, probabilities = Dropping(drawn), torch.empty(sentences.probabilities)
        ctx.save_for_backward(qkv, probabilities)
        ctx.sentences, ctx.drop = sentences, drop
        return _attended(qkv, sentences, drop, probabilities)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        qkv, probabilities = ctx.saved_tensors
        grad, out, call = grad.contiguous(), torch.empty_like(qkv), Call("attend_back", qkv.dtype)
        width = qkv.shape[1] // 3 // ctx.sentences.heads
        ctx.sentences.over(width, len(qkv), lambda s, n: call(s, qkv, ctx.drop, probabilities, grad, out))
        return out, None, None


class _Gather(torch.autograd.Function):
    """asks [S, heads, H], offset [S, heads], states [V*T, H] to sum of p x [S, heads, H] and sum of p [S, heads]."""

    @staticmethod
    def forward(ctx: Any, asks: Any, offset: Any, states: Any, sentences: Sentences, drawn: Kept | None) -> Any:
        asks, offset = asks.contiguous(), offset.contiguous()
        found, total = torch.empty_like(asks), torch.empty_like(offset)
        probabilities, drop = torch.empty(sentences.probabilities), Dropping(drawn)
        call = Call("gather", states.dtype)
        sentences.over(
            states.shape[1],
            len(states),
            lambda s, n: call(s, asks, offset, states, drop, probabilities, found, total),
        )
        ctx.save_for_backward(asks, states, probabilities)
        ctx.sentences, ctx.drop = sentences, drop
        return found, total

    @staticmethod
    def backward(ctx: Any, grad: Any, grad_total: Any) -> Any:
        asks, states, probabilities = ctx.saved_tensors
        grad, grad_total = grad.contiguous(), grad_total.contiguous()
        to_asks, to_offset, to_states = torch.empty_like(asks), torch.empty_like(grad_total), torch.empty_like(states)
        call = Call("gather_back", states.dtype)
        ctx.sentences.over(
            states.shape[1],
            len(states),
            lambda s, n: call(
                s, asks, states, ctx.drop, probabilities, grad, grad_total, to_asks, to_offset, to_states
            ),
        )
        return to_asks, to_offset, to_states, None, None
