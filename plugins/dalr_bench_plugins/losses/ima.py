"""Intra-modal alignment: the student's sentence similarities follow a text teacher's."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dalr_bench import LossInputs, LossOutput, TeacherText, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.formulas.divergence import kl, listed, log_shares, reduced
from dalr_bench_plugins.formulas.similarity import cosines, teacher_cosines, with_margin


class IntraModalAlignment:
    """KL(softmax(S^T/τ_T) ‖ softmax(cos(z1, z2)/τ)), mean over the sentences: the whole row, not only its order.

    S^T [N, N]: the similarities of the text teacher `teacher` (a blend mixes several), without gradient; z1, z2 the two
    views after the training head. Source: DALR (2025), intra-modal alignment. Paper reading (methods.md 5, the
    defaults): one τ = .05, no margin, diagonal included, mean over N.
    Hekang001/DALR@c53e1fc:src/model_modified.py:752,767: `margin` .18, `student_temperature` .0225 (.05 · .45),
    `teacher_temperature` .5: its target is nearly uniform.

    `reduction: sum` is the Σ of the formula taken literally (μ then scales with N). `diagonal: exclude` takes i = j
    out of both sides: Q there is 1 before the softmax and dominates at τ = .05.
    """

    views = 2

    def __init__(
        self,
        teacher: TeacherText,
        student_temperature: Annotated[float, Field(gt=0)] = 0.05,
        teacher_temperature: Annotated[float, Field(gt=0)] = 0.05,
        margin: Annotated[float, Field(ge=0, lt=3.14)] = 0.0,
        reduction: Literal["mean", "sum"] = "mean",
        diagonal: Literal["include", "exclude"] = "include",
    ) -> None:
        self.teacher = teacher
        self.student_temperature, self.teacher_temperature = student_temperature, teacher_temperature
        self.margin = margin
        self.reduction, self.diagonal = reduction, diagonal

    def __call__(self, inputs: LossInputs) -> LossOutput:
        views = inputs.encoding.projected_NVD
        cos_NN = with_margin(cosines(views[:, 0], views[:, 1]), self.margin)
        teacher_NN = teacher_cosines(inputs.teachers[self.teacher], "text")
        log_p_NM = log_shares(listed(cos_NN / self.student_temperature, self.diagonal))
        log_q_NM = log_shares(listed(teacher_NN / self.teacher_temperature, self.diagonal))
        return LossOutput(reduced(kl(log_q_NM, log_p_NM), self.reduction))


@hookimpl
def register_losses(register: Register) -> None:
    register("ima", IntraModalAlignment)
