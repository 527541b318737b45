"""Changes what it was lent."""

from __future__ import annotations

from dalr_bench import LossInputs, LossOutput, hookimpl


class Loss:
    """Changes what it was lent."""

    def __call__(self, inputs: LossInputs) -> LossOutput:
        inputs.encoding.pooled_NVD.detach().mul_(0.5)
        return LossOutput(inputs.encoding.projected_NVD.square().mean())


@hookimpl
def register_losses(register):
    register("writes_into_inputs", Loss)
