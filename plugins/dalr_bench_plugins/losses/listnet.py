"""Ranking distillation by the chance of being first."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dalr_bench import LossInputs, LossOutput, TeacherText, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.formulas.divergence import listed, log_shares, reduced
from dalr_bench_plugins.formulas.similarity import cosines, teacher_cosines, with_margin


class ListNet:
    """Cross entropy of top-one probabilities: −mean_i Σ_{j≠i} softmax(S^T_i/τ_T)_j log softmax(cos(z1_i, z2)/τ)_j.

    S^T [N, N]: the similarities of the text teacher `teacher`, without gradient. Source: ListNet (Cao et al. 2007) as
    RankCSE (Liu et al. 2023) uses it; perceptiveshawty/RankCSE@17c5226:rankcse/models.py:63-77. The code masks the
    diagonal and has one temperature .05 on both sides (`student_temperature` too); a teacher temperature of τ/2 is
    declared there and never used (69-71): it is `teacher_temperature: 0.025` here. The paper's own temperatures were
    not read.

    `diagonal: include` puts the own second view in. `rows: sum` sums over the batch. `margin`: as in infonce.
    """

    views = 2

    def __init__(
        self,
        teacher: TeacherText,
        student_temperature: Annotated[float, Field(gt=0)] = 0.05,
        teacher_temperature: Annotated[float, Field(gt=0)] = 0.05,
        margin: Annotated[float, Field(ge=0, lt=3.14)] = 0.0,
        diagonal: Literal["exclude", "include"] = "exclude",
        rows: Literal["mean", "sum"] = "mean",
    ) -> None:
        self.teacher = teacher
        self.student_temperature, self.teacher_temperature = student_temperature, teacher_temperature
        self.margin = margin
        self.diagonal, self.rows = diagonal, rows

    def __call__(self, inputs: LossInputs) -> LossOutput:
        views = inputs.encoding.projected_NVD
        cos_NN = with_margin(cosines(views[:, 0], views[:, 1]), self.margin)
        teacher_NN = teacher_cosines(inputs.teachers[self.teacher], "text")
        log_p_NM = log_shares(listed(cos_NN / self.student_temperature, self.diagonal))
        log_q_NM = log_shares(listed(teacher_NN / self.teacher_temperature, self.diagonal))
        return LossOutput(reduced(-(log_q_NM.exp() * log_p_NM).sum(1), self.rows))


@hookimpl
def register_losses(register: Register) -> None:
    register("listnet", ListNet)
