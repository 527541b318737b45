"""Takes a network as an option, which no suite can write."""

from __future__ import annotations

import torch

from dalr_bench import LossInputs, LossOutput, hookimpl


class Loss:
    """Takes a network as an option, which no suite can write."""

    def __init__(self, network: torch.nn.Module | None = None) -> None:
        self.network = network

    def __call__(self, inputs: LossInputs) -> LossOutput:
        return LossOutput(inputs.encoding.projected_NVD.square().mean())


@hookimpl
def register_losses(register):
    register("unknown_option_type", Loss)
