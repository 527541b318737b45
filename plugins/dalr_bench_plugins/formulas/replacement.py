"""Masking words, guessing them, and averaging over the tokens that count: no number leaves the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from dalr_bench.sending import sent
from dalr_bench_plugins.formulas.similarity import single

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True)
class Masks:
    """Which share of the words is chosen; the chosen become the mask token, a random token, or stay."""

    ratio: float
    random_share: float
    keep_share: float
    mask_id: int
    vocabulary: int


def draw_masks(masks: Masks, ids_NL: Tensor, words_NL: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Each word is chosen with probability `ratio`: the ids a generator is shown [N, L], and who was chosen [N, L]."""
    chosen_NL = (_uniform(ids_NL, generator) < masks.ratio) & words_NL
    shown_NL = ids_NL.masked_fill(chosen_NL, masks.mask_id)
    if masks.random_share or masks.keep_share:
        fate_NL = _uniform(ids_NL, generator)
        random_NL = sent(torch.randint(masks.vocabulary, ids_NL.shape, generator=generator), ids_NL.device)
        shown_NL = torch.where(chosen_NL & (fate_NL < masks.random_share), random_NL, shown_NL)
        kept_NL = chosen_NL & (fate_NL >= 1 - masks.keep_share)
        shown_NL = torch.where(kept_NL, ids_NL, shown_NL)
    return shown_NL, chosen_NL


def predicted(logits_NLV: Tensor, pick: Literal["argmax", "sample"], generator: Generator) -> Tensor:
    """The likeliest word of every place, or one drawn by its probability (inverse of the cumulative sum), [N, L]."""
    logits_NLV = logits_NLV.detach()
    if pick == "argmax":
        return logits_NLV.argmax(-1)
    reached_NLV = single(logits_NLV).softmax(-1).cumsum(-1)
    draw_NL = _uniform(logits_NLV[..., 0], generator)
    return (reached_NLV < draw_NL[..., None]).sum(-1).clamp_max(logits_NLV.shape[-1] - 1)


def masked_words(logits_NLV: Tensor, ids_NL: Tensor, chosen_NL: Tensor) -> Tensor:
    """Cross entropy of the true word, mean over the chosen places (0 where none was chosen)."""
    losses_NL = torch.nn.functional.cross_entropy(single(logits_NLV).flatten(0, 1), ids_NL.flatten(), reduction="none")
    return mean_where(losses_NL.view_as(ids_NL), chosen_NL)


def mean_where(values_NL: Tensor, counted_NL: Tensor) -> Tensor:
    """Mean over the marked places; 0 where there is none."""
    return (values_NL * counted_NL).sum() / counted_NL.sum().clamp_min(1)


def _uniform(like_NL: Tensor, generator: Generator) -> Tensor:
    return sent(torch.rand(like_NL.shape, generator=generator), like_NL.device)
