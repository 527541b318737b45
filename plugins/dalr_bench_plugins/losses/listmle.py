"""Ranking distillation by the likelihood of the teacher's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import Field

from dalr_bench import LossInputs, LossOutput, TeacherText, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench.sending import sent
from dalr_bench_plugins.formulas.divergence import listed, reduced
from dalr_bench_plugins.formulas.ranking import descending, order_losses
from dalr_bench_plugins.formulas.similarity import cosines, teacher_cosines, with_margin

if TYPE_CHECKING:
    from torch import Tensor


class ListMle:
    """−log P(the teacher's order) under the student: mean_i (1/M) Σ_j [log Σ_{k≥j} exp s_iπ(k) − s_iπ(j)].

    s = cos(z1_i, z2_j)/τ (`temperature`) over the other sentences of the batch, π the order of `teacher`, from most to
    least similar. Source: ListMLE (Xia et al. 2008) as RankCSE (Liu et al. 2023) and DALR use it. Only the order of the
    teacher enters: it has no τ.

    Paper reading (methods.md 5, the defaults): `diagonal` excluded (M = N − 1), τ .05, mean over the list, no margin.
    Released code (perceptiveshawty/RankCSE@17c5226:rankcse/models.py:79-109;
    Hekang001/DALR@c53e1fc:src/model_modified.py:178-212,716-724): `diagonal: include` (the own second view is the
    first item), `reduction: sum` over the list (log 128! ≈ 496 at the start), `floor` 1e-7 inside the logarithm,
    `ties: random`, and in DALR `margin` .18.

    `list_len` M: the teacher's first M items only; `tail: keep` leaves the others in the sums (the likelihood of the
    first M places among all), `drop` is the formula's Π_{j≤M} with sums to M. `rows: sum` sums over the batch, as the
    formula's Σ_i taken literally. Ties: the stable order of the batch, or one random order per step.
    """

    views = 2

    def __init__(
        self,
        teacher: TeacherText,
        temperature: Annotated[float, Field(gt=0)] = 0.05,
        margin: Annotated[float, Field(ge=0, lt=3.14)] = 0.0,
        diagonal: Literal["exclude", "include"] = "exclude",
        list_len: Annotated[int, Field(ge=1)] | None = None,
        tail: Literal["drop", "keep"] = "drop",
        reduction: Literal["mean", "sum"] = "mean",
        rows: Literal["mean", "sum"] = "mean",
        floor: Annotated[float, Field(ge=0)] = 0.0,
        ties: Literal["stable", "random"] = "stable",
    ) -> None:
        self.teacher = teacher
        self.temperature, self.margin = temperature, margin
        self.diagonal, self.list_len, self.tail = diagonal, list_len, tail
        self.reduction, self.rows = reduction, rows
        self.floor, self.ties = floor, ties

    def __call__(self, inputs: LossInputs) -> LossOutput:
        views = inputs.encoding.projected_NVD
        cos_NN = with_margin(cosines(views[:, 0], views[:, 1]), self.margin)
        scores_NM = listed(cos_NN / self.temperature, self.diagonal)
        if scores_NM.shape[1] == 0:  # one sentence has no one to be ranked
            return LossOutput(cos_NN.sum() * 0)
        teacher_NM = listed(teacher_cosines(inputs.teachers[self.teacher], "text"), self.diagonal)
        losses_NM = self._losses(scores_NM.gather(1, descending(teacher_NM, self._ties(inputs, teacher_NM))))
        lists_N = losses_NM.mean(1) if self.reduction == "mean" else losses_NM.sum(1)
        return LossOutput(reduced(lists_N, self.rows))

    def _losses(self, ordered_NM: Tensor) -> Tensor:
        if self.tail == "drop":
            return order_losses(ordered_NM[:, : self.list_len], self.floor)
        return order_losses(ordered_NM, self.floor)[:, : self.list_len]

    def _ties(self, inputs: LossInputs, teacher_NM: Tensor) -> Tensor | None:
        if self.ties == "stable":
            return None
        return sent(torch.randperm(teacher_NM.shape[1], generator=inputs.generator), teacher_NM.device)


@hookimpl
def register_losses(register: Register) -> None:
    register("listmle", ListMle)
