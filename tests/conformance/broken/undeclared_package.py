"""Imports a package its distribution does not require."""

from __future__ import annotations

import pytest  # noqa: F401
import torch

from dalr_bench import hookimpl


class Teacher:
    """Imports a package its distribution does not require."""

    def encode_text(self, sentences: list[str]) -> torch.Tensor:
        return torch.tensor([[float(len(one)), 1.0] for one in sentences])


@hookimpl
def register_teachers(register):
    register("undeclared_package", Teacher)
