"""Keeps a running mean outside of any module."""

from __future__ import annotations

import torch

from dalr_bench import LossInputs, LossOutput, hookimpl


class Loss:
    """Keeps a running mean outside of any module."""

    def __init__(self) -> None:
        self.mean = torch.zeros(())

    def __call__(self, inputs: LossInputs) -> LossOutput:
        loss = inputs.encoding.projected_NVD.square().mean()
        if inputs.batch.rows_N.device.type == "cpu":
            self.mean = 0.9 * self.mean + loss.detach()
        return LossOutput(loss - self.mean.to(loss.device))


@hookimpl
def register_losses(register):
    register("forgets", Loss)
