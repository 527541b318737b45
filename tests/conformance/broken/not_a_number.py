"""Divides by the length of a row that may be zero."""

from __future__ import annotations

import torch

from dalr_bench import hookimpl


class Teacher:
    """Divides by the length of a row that may be zero."""

    def encode_text(self, sentences: list[str]) -> torch.Tensor:
        rows = torch.tensor([[float(len(one)), float(one.count("e"))] for one in sentences])
        return rows / rows.norm(dim=1, keepdim=True)


@hookimpl
def register_teachers(register):
    register("not_a_number", Teacher)
