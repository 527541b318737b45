"""The student: a Hugging Face encoder, a pooler and a training head, as one `nn.Module`; all views in one pass."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from dalr_bench import Encoding, SuiteError, TokenBatch
from dalr_bench_plugins.networks.heads import BatchNormProjector
from dalr_bench_plugins.networks.pooling import Pooling, needs_all_layers, pool
from dalr_bench_plugins.networks.sentence_folder import SentenceModel, save_sentence_folder
from dalr_bench_plugins.networks.vocabulary import TextTokenizer
from dalr_bench_plugins.packed.buckets import by_length
from dalr_bench_plugins.packed.forward import pooled, trained
from dalr_bench_plugins.packed.layers import hooked, knows
from dalr_bench_plugins.packed.packing import Packing
from dalr_bench_plugins.shaped.compiled import Compiled

Head = Literal["mlp", "batchnorm", "none"]


@dataclass(frozen=True)
class Reading:
    """How rows are read off the encoder. The head trains only, unless it is kept; unit length is a test-time matter."""

    pooling: Pooling = "cls_before_pooler"
    head: Head = "mlp"
    keep_head: bool = False
    normalize: bool = False


class MLPHead(nn.Module):
    """tanh(W c + b), D → D: SimCSE's training head (princeton-nlp/SimCSE@49fa580:simcse/models.py, MLPLayer).

    W ~ N(0, std²) and b = 0, as BERT initialises its own layers.
    """

    def __init__(self, width: int, std: float) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        nn.init.normal_(self.linear.weight, std=std)
        nn.init.zeros_(self.linear.bias)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.linear(rows))


class SentenceEncoder(nn.Module):
    """`types.Backbone` over any transformers encoder. `origin`: what `protocol()` says of its first weights."""

    def __init__(self, encoder: Any, tokenizer: TextTokenizer, reading: Reading, origin: Mapping[str, Any]) -> None:
        super().__init__()
        self.encoder = encoder
        self.tokenizer = tokenizer
        self.reading = reading
        self.origin = dict(origin)
        self.dim = int(encoder.config.hidden_size)
        std = float(getattr(encoder.config, "initializer_range", 0.02))
        self.head = _head(reading.head, self.dim, std)
        self._compiled: Compiled | None = None
        pooler = getattr(encoder, "pooler", None)
        if pooler is not None and reading.pooling != "cls":
            pooler.requires_grad_(False)  # no loss reaches it: neither decay it nor count it as trained

    def _output(self, tokens: TokenBatch) -> Any:
        # transformers itself leaves a mask of ones out: a second check here would only cost a device sync.
        all_layers = {"output_hidden_states": True} if needs_all_layers(self.reading.pooling) else {}
        return self.encoder(input_ids=tokens.ids_NL, attention_mask=tokens.mask_NL, **all_layers)

    def encode(self, tokens: TokenBatch, views: int, states: bool) -> Encoding:
        """All views in one pass, each with its own dropout: [N, V, D]; states [N, V, L, D], where there is no token any.

        Nothing is padded where the layers are known and the lengths are on the host; an encoder of another family sees
        the batch in a few buckets of similar length, one that carries hooks sees it whole.
        """
        packing = None if tokens.lengths_N is None else Packing(tokens.lengths_N, tokens.ids_NL.shape[1], views)
        last: torch.Tensor | None
        if packing is None or not packing.lengths_N.min() or hooked(self.encoder):
            pooled, last = self._padded(tokens, views)
        elif self._compiled is not None and self.training:
            pooled, last = self._compiled(tokens, views, states)
        elif self.packs:
            pooled, last = trained(self.encoder, tokens.ids_NL, packing, self.reading.pooling, states)
        else:
            pooled, last = by_length(tokens, views, self._padded)
        projected = pooled if self.head is None else self.head(pooled)
        return Encoding(
            pooled_NVD=_by_view(pooled, views),
            projected_NVD=_by_view(projected, views),
            states_NVLD=_by_view(last, views) if states and last is not None else None,
        )

    def _padded(self, tokens: TokenBatch, views: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The encoder's own forward of the repeated batch: rows [V*N, D] and states [V*N, L, D], view-major."""
        repeated = TokenBatch(tokens.ids_NL.repeat(views, 1), tokens.mask_NL.repeat(views, 1))
        output = self._output(repeated)
        return pool(output, repeated.mask_NL, self.reading.pooling), output.last_hidden_state

    def forward(self, tokens: TokenBatch, views: int, states: bool) -> Encoding:
        """As `encode`: what a distributed wrapper calls."""
        return self.encode(tokens, views, states)

    def embed(self, tokens: TokenBatch) -> torch.Tensor:
        """What evaluation sees, [N, D]: pooled rows, through the head where kept, at unit length where asked for."""
        return self._finished(pool(self._output(tokens), tokens.mask_NL, self.reading.pooling))

    @property
    def packs(self) -> bool:
        """Whether `embed_packed` can be asked: it knows this encoder's layers, and nothing was changed in them."""
        return knows(self.encoder)

    def embed_packed(self, ids_T: torch.Tensor, lengths_N: Sequence[int]) -> torch.Tensor:
        """As `embed`, [N, D], for sentences of rising length packed one after another; never with dropout."""
        return self._finished(pooled(self.encoder, ids_T, lengths_N, self.reading.pooling))

    def _finished(self, rows: torch.Tensor) -> torch.Tensor:
        if self.head is not None and self.reading.keep_head:
            rows = self.head(rows)
        return nn.functional.normalize(rows, dim=-1) if self.reading.normalize else rows

    def recompute(self, on: bool) -> None:
        """Keep the layers' inputs only and compute the rest again in the backward pass. SuiteError where it cannot."""
        # transformers renames the pair within its major version 5.
        new = hasattr(self.encoder, "activation_checkpointing_enable")
        name = "activation_checkpointing" if new else "gradient_checkpointing"
        packs = self.packs
        try:
            getattr(self.encoder, f"{name}_enable" if on else f"{name}_disable")(*[{"use_reentrant": False}] * on)
        except ValueError as error:
            raise SuiteError(f"train.gradient_checkpointing: {error}") from error
        if packs and on:
            # A hook for frozen embeddings, which `use_reentrant: False` does without; it would bar the packed forward.
            self.encoder.disable_input_require_grads()

    def compile_encode(self, mode: Literal["none", "default", "graphs"]) -> None:
        """Train by compiled code (`shaped.compiled`), or no more. SuiteError where the encoder's layers are not known."""
        if mode == "none":
            self._compiled = None
            return
        if not self.packs:
            kind = type(self.encoder).__name__
            raise SuiteError(f"train.compile: the layers of {kind} are not known here (or were changed): leave it at none")
        if self._compiled is None or self._compiled.mode != mode:
            text = self.tokenizer
            self._compiled = Compiled(self.encoder, self.reading.pooling, (text.max_length, text.pad_id), mode)

    def protocol(self) -> Mapping[str, Any]:
        """What decides these vectors beside the trained weights."""
        head = "none" if self.head is None else "kept" if self.reading.keep_head else "training only"
        return {
            **self.origin,
            "pooling": self.reading.pooling,
            "max_length": self.tokenizer.max_length,
            "head": head,
            "normalize": self.reading.normalize,
        }

    def save(self, folder: str) -> None:
        """A sentence-transformers folder of stock modules giving the vectors of `embed`; LoRA is merged into a copy."""
        encoder = self.encoder
        if hasattr(encoder, "merge_and_unload"):
            encoder = copy.deepcopy(encoder).merge_and_unload()
        dense = [encoder.pooler.dense] if self.reading.pooling == "cls" else []
        if isinstance(self.head, MLPHead) and self.reading.keep_head:
            dense.append(self.head.linear)
        text, reading = self.tokenizer, self.reading
        model = SentenceModel(encoder, text.inner, reading.pooling, text.max_length, tuple(dense), reading.normalize)
        save_sentence_folder(model, folder)


def _head(kind: Head, width: int, std: float) -> nn.Module | None:
    if kind == "batchnorm":
        return BatchNormProjector(width)
    return MLPHead(width, std) if kind == "mlp" else None


def _by_view(rows: torch.Tensor, views: int) -> torch.Tensor:
    """[V*N, ...], view-major, to [N, V, ...]."""
    return rows.reshape(views, -1, *rows.shape[1:]).transpose(0, 1)
