"""Draws from the global state instead of the generator of the step."""

from __future__ import annotations

import torch

from dalr_bench import LossInputs, LossOutput, hookimpl


class Loss:
    """Draws from the global state instead of the generator of the step."""

    def __call__(self, inputs: LossInputs) -> LossOutput:
        rows = inputs.encoding.projected_NVD
        return LossOutput((rows * torch.rand(rows.shape, device=rows.device)).square().mean())


@hookimpl
def register_losses(register):
    register("leaks_random", Loss)
