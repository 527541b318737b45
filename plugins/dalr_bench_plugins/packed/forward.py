"""The forward of BERT-like encoders on packed tokens: sentences of several lengths in one matrix, and no padding at all.

Linear layers see all T tokens of a batch at once, attention each sentence by itself. The parameters are the Hugging
Face module's own, read at every call, so nothing here can go stale. Where only the first token of a sentence is wanted,
the last layer is computed for it alone. Source of the layers: Devlin et al. 2019 (post-LN), as in transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from dalr_bench_plugins.networks.pooling import MEAN_OF_LAYERS, Pooling
from dalr_bench_plugins.packed.draws import Draws
from dalr_bench_plugins.packed.fused import Fused, can_fuse
from dalr_bench_plugins.packed.layers import Layer, embedded, layers, positions, share
from dalr_bench_plugins.packed.opening import Opened, opening
from dalr_bench_plugins.packed.packing import Packing, Places, in_pieces, packed, padded
from dalr_bench_plugins.packed.plain import Pair, Plain, firsts, means, on_host
from dalr_bench_plugins.packed.weights import Held, Live

_PIECE = 1536 * 4096  # numbers of the widest states of a piece, which stay in a CPU's cache (measured: docs/evaluation.md)


def pooled(encoder: Any, ids_T: torch.Tensor, lengths_N: Sequence[int], pooling: Pooling) -> torch.Tensor:
    """Rows [N, H] of sentences packed one after another in `ids_T`, whose lengths (each at least 1) never fall.

    As `pooling.pool` of the encoder's own forward in eval mode; differences are those of the order of additions. On a
    CPU the batch is taken in pieces that stay in the cache, which share weights made ready once.
    """
    pieces: Plain | Fused = Plain(None)
    first, made = layers(encoder)[0], None
    tokens = max(1, _PIECE // first.widen.out_features)
    if _fuses(encoder, ids_T.device):
        pieces = Fused(None, Held(tokens))
        made = opening(encoder.embeddings, first, pieces, ids_T, lengths_N)
    found, token = [], 0
    for some_N in in_pieces(lengths_N, tokens) if on_host(ids_T) else [lengths_N]:
        packing = packed(some_N)
        some = slice(token, token + packing.tokens)
        one = _Pass(encoder, packing, packing.on(ids_T.device), pieces, None if made is None else made.of(some))
        found.append(one.rows(ids_T[some], pooling, False)[0])
        token += packing.tokens
    return found[0] if len(found) == 1 else torch.cat(found)


def _fuses(encoder: Any, device: torch.device) -> bool:
    """The kernels drop nothing here and keep nothing for a way back."""
    return not torch.is_grad_enabled() and can_fuse(encoder, device)


def trained(
    encoder: Any, ids_NL: torch.Tensor, packing: Packing, pooling: Pooling, states: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Rows [V*N, H], view-major, in the batch's order, and (where asked for) the last layer's states [V*N, L, H].

    Mathematically `pool` of the encoder's own forward on the repeated padded batch, each view with dropout of its own.
    """
    places = packing.on(ids_NL.device)
    pieces = Fused(Draws(), Live()) if can_fuse(encoder, ids_NL.device) else Plain(Draws())
    ids_T = ids_NL.reshape(-1)[places.index_T]
    rows, last = _Pass(encoder, packing, places, pieces).rows(ids_T, pooling, states)
    ordered = rows.view(packing.views, -1, rows.shape[-1]).index_select(1, places.back_N).view(rows.shape)
    return ordered, None if last is None else padded(last, packing, places)


class _Pass:
    """One forward. States are pairs: the residual stream, and what the next layer reads.

    `opened`: what the tokens bring to the first layer's attention, where it was made before.
    """

    def __init__(
        self, encoder: Any, packing: Packing, places: Places, pieces: Plain | Fused, opened: Opened | None = None
    ) -> None:
        self.encoder, self.packing, self.places, self.pieces, self.opened = encoder, packing, places, pieces, opened

    def rows(self, ids_T: torch.Tensor, pooling: Pooling, states: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Pooled rows from short to long sentences; the last layer's states where they are asked for."""
        stack = layers(self.encoder)
        if pooling not in MEAN_OF_LAYERS:
            *_, last = self._through(stack if states else stack[:-1], ids_T)
            first = (
                firsts(last[0], self.packing, self.places)
                if states
                else self._once_or_again(self._first_of_last, stack[-1], last)
            )
            found = torch.tanh(self.encoder.pooler.dense(first)) if pooling == "cls" else first
            return found, last[0] if states else None
        wanted = [place % (len(stack) + 1) for place in MEAN_OF_LAYERS[pooling]]
        total: torch.Tensor | None = None
        for number, (stream, _) in enumerate(self._through(stack, ids_T)):
            for _ in range(wanted.count(number)):
                total = stream if total is None else total + stream
        assert total is not None, "a pooler reads at least one layer"
        return means(total, self.packing) / len(wanted), stream if states else None

    def _through(self, stack: Sequence[Layer], ids_T: torch.Tensor) -> Iterator[Pair]:
        """States after the embeddings and after every layer."""
        stream = self._embedded(ids_T) if self.opened is None else self.opened.states
        pair = (stream, stream)
        yield pair
        for layer in stack:
            pair = self._once_or_again(self._layer, layer, pair)
            yield pair

    def _embedded(self, ids_T: torch.Tensor) -> torch.Tensor:
        embeddings = self.encoder.embeddings
        one_TH = embedded(embeddings, ids_T, positions(embeddings, ids_T, self.places))
        views = one_TH.expand(self.packing.views, *one_TH.shape)
        return self.pieces.drop(views, share(embeddings.dropout)).reshape(-1, one_TH.shape[-1])

    def _once_or_again(self, run: Callable[[Layer, Pair], Any], layer: Layer, pair: Pair) -> Any:
        return checkpoint(run, layer, pair, use_reentrant=False) if layer.again else run(layer, pair)

    def _layer(self, layer: Layer, pair: Pair) -> Pair:
        self.pieces.begin()
        opened = self.opened
        if opened is not None and pair[0] is opened.states:  # the first layer
            return self._after(layer, opened.attend(layer, self.packing), pair[0])
        return self._after(layer, self.pieces.attend(pair[1], layer, self.packing), pair[0])

    def _first_of_last(self, layer: Layer, pair: Pair) -> torch.Tensor:
        """The layer for the first token of each sentence alone."""
        self.pieces.begin()
        first = firsts(pair[0], self.packing, self.places)
        return self._after(layer, self.pieces.attend_first(pair[1], first, layer, self.packing), first)[0]

    def _after(self, layer: Layer, context: torch.Tensor, stream: torch.Tensor) -> Pair:
        """What follows attention in a layer."""
        pieces = self.pieces
        stream, feed = pieces.settle(context, layer.mix, stream, layer.mix_norm, layer.mix_dropout)
        wide = pieces.activate(feed, layer.widen, layer.activation)
        return pieces.settle(wide, layer.narrow, stream, layer.narrow_norm, layer.narrow_dropout)
