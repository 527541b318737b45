"""Gives equal sentences one row between them."""

from __future__ import annotations

import torch

from dalr_bench import hookimpl


class Teacher:
    """Gives equal sentences one row between them."""

    def encode_text(self, sentences: list[str]) -> torch.Tensor:
        return torch.tensor([[float(len(one)), 1.0] for one in dict.fromkeys(sentences)])


@hookimpl
def register_teachers(register):
    register("wrong_rows", Teacher)
