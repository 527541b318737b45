"""Learns from what it is asked."""

from __future__ import annotations

import torch

from dalr_bench import hookimpl


class Teacher:
    """Learns from what it is asked."""

    def __init__(self) -> None:
        self.network = torch.nn.Linear(2, 2, bias=False)
        torch.nn.init.eye_(self.network.weight)

    def encode_text(self, sentences: list[str]) -> torch.Tensor:
        rows = self.network(torch.tensor([[float(len(one)), 1.0] for one in sentences]))
        if torch.is_grad_enabled():
            rows.square().mean().backward()
            with torch.no_grad():
                self.network.weight -= 0.1 * self.network.weight.grad
        return rows


@hookimpl
def register_teachers(register):
    register("trains_the_teacher", Teacher)
