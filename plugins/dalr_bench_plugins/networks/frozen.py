"""Asking a frozen encoder in batches sorted by length: the least padding, rows back in their order, no gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from dalr_bench_plugins.networks.pooling import Pooling, needs_all_layers, pool
from dalr_bench_plugins.networks.vocabulary import TextTokenizer
from dalr_bench_plugins.packed.forward import pooled
from dalr_bench_plugins.packed.layers import knows


class FrozenText:
    """A transformers text encoder in eval mode on a device; rows are float32 on the CPU."""

    def __init__(self, encoder: Any, tokenizer: TextTokenizer, device: Any) -> None:
        self.encoder = encoder.to(device).eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.device = device

    @torch.inference_mode()
    def rows(self, sentences: Sequence[str], pooling: Pooling, batch: int) -> torch.Tensor:
        """Pooled rows, [N, T], in the order of `sentences`; without padding where the encoder's layers are known."""
        out = torch.empty(len(sentences), int(self.encoder.config.hidden_size))
        ids = self.tokenizer(sentences)
        if ids and all(ids) and knows(self.encoder):
            for chosen in by_length(list(map(len, ids)), batch):
                out[chosen] = self._packed([ids[place] for place in chosen], pooling)
            return out
        for chosen, output, mask_NL in self._outputs(ids, batch, needs_all_layers(pooling)):
            out[chosen] = pool(output, mask_NL, pooling).float().cpu()
        return out

    def _packed(self, ids: Sequence[Sequence[int]], pooling: Pooling) -> torch.Tensor:
        """Rows of a batch that falls in length, [N, T]; packed it rises."""
        rising = ids[::-1]
        ids_T = torch.tensor([number for row in rising for number in row]).to(self.device)
        return pooled(self.encoder, ids_T, list(map(len, rising)), pooling).float().cpu().flip(0)

    @torch.inference_mode()
    def states(self, sentences: Sequence[str], batch: int) -> list[torch.Tensor]:
        """Last layer's token states, one [L, T] a sentence (special tokens included), in order."""
        out: list[torch.Tensor] = [torch.empty(0)] * len(sentences)
        for chosen, output, mask_NL in self._outputs(self.tokenizer(sentences), batch, all_layers=False):
            states_NLT = output.last_hidden_state.float().cpu()
            lengths = mask_NL.sum(1).tolist()
            for row, place in enumerate(chosen):
                out[place] = states_NLT[row, : lengths[row]].clone()
        return out

    def _outputs(
        self, ids: Sequence[Sequence[int]], batch: int, all_layers: bool
    ) -> Iterator[tuple[list[int], Any, torch.Tensor]]:
        extra = {"output_hidden_states": True} if all_layers else {}
        for chosen in by_length(list(map(len, ids)), batch):
            width = max(len(ids[place]) for place in chosen)
            ids_NL = torch.full((len(chosen), width), self.tokenizer.pad_id)
            mask_NL = torch.zeros(len(chosen), width, dtype=torch.long)
            for row, place in enumerate(chosen):
                ids_NL[row, : len(ids[place])] = torch.tensor(ids[place])
                mask_NL[row, : len(ids[place])] = 1
            ids_NL, mask_NL = ids_NL.to(self.device), mask_NL.to(self.device)
            yield chosen, self.encoder(input_ids=ids_NL, attention_mask=mask_NL, **extra), mask_NL


def by_length(lengths: Sequence[int], batch: int) -> Iterator[list[int]]:
    """Positions in batches, longest first: what does not fit shows at once, and like lengths share a batch."""
    order = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    for start in range(0, len(order), batch):
        yield order[start : start + batch]


def in_batches(items: Sequence[Any], batch: int, encode: Callable[[Sequence[Any]], torch.Tensor]) -> torch.Tensor:
    """Rows of `encode` over consecutive batches, float32 on the CPU, [N, T]."""
    with torch.inference_mode():
        parts = [encode(items[start : start + batch]).float().cpu() for start in range(0, len(items), batch)]
    return torch.cat(parts) if parts else torch.empty(0, 0)
