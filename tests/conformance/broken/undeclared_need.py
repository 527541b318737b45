"""Looks at a teacher no option names."""

from __future__ import annotations

from dalr_bench import LossInputs, LossOutput, hookimpl


class Loss:
    """Looks at a teacher no option names."""

    def __call__(self, inputs: LossInputs) -> LossOutput:
        rows = inputs.teachers["clip"].text_NT
        return LossOutput(inputs.encoding.projected_NVD.square().mean() * rows.mean())


@hookimpl
def register_losses(register):
    register("undeclared_need", Loss)
