"""A teacher without a network: sentences by the groups of letters in them, hashed into a fixed number of columns."""

from __future__ import annotations

import zlib
from typing import Annotated

import torch
from pydantic import Field

from dalr_bench import hookimpl


class LetterGroups:
    """Rows [N, width]: for every group of `size` letters in a sentence, +1 or -1 in the column its hash names; then unit length.

    `width`: columns; groups that share one by chance cancel on average. A sentence with no group is the zero row.
    Source: the hashing trick, Weinberger et al. 2009 (arXiv:0902.2206), equation 2; letter groups as in fastText.
    """

    def __init__(self, size: Annotated[int, Field(ge=1, le=8)] = 3, width: Annotated[int, Field(ge=2)] = 256) -> None:
        self.size = size
        self.width = width

    def encode_text(self, sentences: list[str]) -> torch.Tensor:
        """One row a sentence, in order; nothing but the sentence decides it."""
        rows = torch.zeros(len(sentences), self.width)
        for number, sentence in enumerate(sentences):
            padded = f" {' '.join(sentence.lower().split())} "
            for start in range(len(padded) - self.size + 1):
                hashed = zlib.crc32(padded[start : start + self.size].encode())
                rows[number, hashed % self.width] += 1.0 if hashed & 0x80000000 else -1.0
        return torch.nn.functional.normalize(rows, dim=-1)


@hookimpl
def register_teachers(register):
    register("letter_groups", LetterGroups)
