"""Takes a name that is taken."""

from __future__ import annotations

from dalr_bench import LossInputs, LossOutput, hookimpl


class Loss:
    """Takes a name that is taken."""

    def __call__(self, inputs: LossInputs) -> LossOutput:
        return LossOutput(inputs.encoding.projected_NVD.square().mean())


@hookimpl
def register_losses(register):
    register("infonce", Loss)
