"""Asking a frozen encoder in batches sorted by length: the least padding, rows back in their order, no gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from dalr_bench_plugins.networks.pooling import Pooling, needs_all_layers, pool
from dalr_bench_plugins.networks.vocabulary import TextTokenizer


class FrozenText:
    """A transformers text encoder in eval mode on a device; rows are float32 on the CPU."""

    def __init__(self, encoder: Any, tokenizer: TextTokenizer, device: Any) -> None:
        self.encoder = encoder.to(device).eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.device = device

    @torch.inference_mode()
    def rows(self, sentences: Sequence[str], pooling: Pooling, batch: int) -> torch.Tensor:
        """Pooled rows, [N, T], in the order of `sentences`."""
        out = torch.empty(len(sentences), int(self.encoder.config.hidden_size))
        for chosen, output, mask_NL in self._outputs(sentences, batch, needs_all_layers(pooling)):
            out[chosen] = pool(output, mask_NL, pooling).float().cpu()
        return out

    @torch.inference_mode()
    def states(self, sentences: Sequence[str], batch: int) -> list[torch.Tensor]:
        """Last layer's token states, one [L, T] a sentence (special tokens included), in order."""
        out: list[torch.Tensor] = [torch.empty(0)] * len(sentences)
        for chosen, output, mask_NL in self._outputs(sentences, batch, all_layers=False):
            states_NLT = output.last_hidden_state.float().cpu()
            lengths = mask_NL.sum(1).tolist()
            for row, place in enumerate(chosen):
                out[place] = states_NLT[row, : lengths[row]].clone()
        return out

    def _outputs(
        self, sentences: Sequence[str], batch: int, all_layers: bool
    ) -> Iterator[tuple[list[int], Any, torch.Tensor]]:
        ids = self.tokenizer(sentences)
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
