"""Sorts by length and does not sort back."""

from __future__ import annotations

import torch

from dalr_bench import hookimpl


class Teacher:
    """Sorts by length and does not sort back."""

    def encode_text(self, sentences: list[str]) -> torch.Tensor:
        return torch.tensor([[float(len(one)), 1.0] for one in sorted(sentences, key=len)])


@hookimpl
def register_teachers(register):
    register("wrong_order", Teacher)
