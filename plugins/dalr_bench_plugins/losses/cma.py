"""Cross-modal alignment: the student's text-image similarities follow the teachers' within each modality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import Field

from dalr_bench import Dims, LossInputs, LossOutput, SpaceName, SuiteError, TeacherImage, TeacherText, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.formulas.divergence import kl, listed, log_shares, reduced
from dalr_bench_plugins.formulas.rows import image_rows
from dalr_bench_plugins.formulas.similarity import cosines, teacher_cosines, with_margin

if TYPE_CHECKING:
    from torch import Tensor


class CrossModalAlignment:
    """½ [KL(Q^t2t ‖ P^t2v) + KL(Q^v2v ‖ P^v2t)], mean over the sentences: soft targets for the text-image similarities.

    Q^t2t = softmax(S^T/τ_T), S^T the text teacher's similarities; Q^v2v = softmax(cos(u, u)/τ_T), u the image teacher's
    rows (`teacher`, `image`: their labels); P^t2v = softmax(A/τ), P^v2t = softmax(Aᵀ/τ). Source: DALR (2025),
    cross-modal alignment. Teachers first and without gradient.

    Paper reading (methods.md 5, the defaults): A = cos(p1, v) in the space of the loss named in `space`, one τ = .05,
    no margin, mean over N. Hekang001/DALR@c53e1fc:src/model_modified.py:741-750,767: `student: raw` is A = cos(z1,
    u), the first view after the training head against the raw image row (widths must agree); `margin` .18;
    `student_temperature` .0225 (.05 · .45), `teacher_temperature` .5; the teacher a blend by vectors, weights .33 and
    .67.

    `reduction: sum` is the Σ of the formula taken literally (λ then scales with N). `diagonal: exclude` takes i = j
    out of both sides, which dominates Q at τ = .05. `transposed: probabilities` reads (P^t2v)ᵀ as the transposed
    matrix (its rows do not sum to 1) in place of a softmax over the other axis; with it the diagonal stays. `sides`
    and `combine: sum` (no ½) for ablations of the bracket.
    """

    views = 1

    def __init__(
        self,
        teacher: TeacherText,
        image: TeacherImage,
        space: SpaceName | None = None,
        student: Literal["space", "raw"] = "space",
        student_temperature: Annotated[float, Field(gt=0)] = 0.05,
        teacher_temperature: Annotated[float, Field(gt=0)] = 0.05,
        margin: Annotated[float, Field(ge=0, lt=3.14)] = 0.0,
        reduction: Literal["mean", "sum"] = "mean",
        diagonal: Literal["include", "exclude"] = "include",
        transposed: Literal["logits", "probabilities"] = "logits",
        sides: Literal["both", "text", "image"] = "both",
        combine: Literal["mean", "sum"] = "mean",
        *,
        dims: Dims,
    ) -> None:
        if student == "space" and space is None:
            raise SuiteError(
                "cma: student: space needs `space`, the name of a loss with a joint space (or say student: raw)"
            )
        if student == "raw" and dims.student != dims.image[image]:
            raise SuiteError(
                f"cma: student: raw needs equal widths, got {dims.student} and {dims.image[image]}: use a space"
            )
        if transposed == "probabilities" and diagonal == "exclude":
            raise SuiteError("cma: transposed: probabilities is defined with the diagonal included")
        self.teacher, self.image, self.space_name, self.student = teacher, image, space, student
        self.student_temperature, self.teacher_temperature = student_temperature, teacher_temperature
        self.margin = margin
        self.reduction, self.diagonal, self.transposed = reduction, diagonal, transposed
        self.sides, self.combine = sides, combine

    def __call__(self, inputs: LossInputs) -> LossOutput:
        logits_NN = with_margin(self._cosines(inputs), self.margin) / self.student_temperature
        log_p_NN = log_shares(listed(logits_NN, self.diagonal))
        other_NN = log_p_NN.T if self.transposed == "probabilities" else log_shares(listed(logits_NN.T, self.diagonal))
        terms: dict[str, Tensor] = {}
        if self.sides != "image":
            terms["text"] = self._divergence(teacher_cosines(inputs.teachers[self.teacher], "text"), log_p_NN)
        if self.sides != "text":
            terms["image"] = self._divergence(teacher_cosines(inputs.teachers[self.image], "image"), other_NN)
        both = torch.stack(list(terms.values()))
        loss = both.mean() if self.combine == "mean" else both.sum()
        return LossOutput(loss, {name: value.detach() for name, value in terms.items()})

    def _cosines(self, inputs: LossInputs) -> Tensor:
        """A [N, N]: rows are sentences, columns pictures."""
        if self.student == "raw" or self.space_name is None:
            return cosines(inputs.encoding.projected_NVD[:, 0], image_rows(inputs.teachers[self.image], self.image))
        space = inputs.spaces[self.space_name]
        return cosines(space.text_NVE[:, 0], space.image_NE)

    def _divergence(self, teacher_NN: Tensor, log_p_NM: Tensor) -> Tensor:
        log_q_NM = log_shares(listed(teacher_NN / self.teacher_temperature, self.diagonal))
        return reduced(kl(log_q_NM, log_p_NM), self.reduction)


@hookimpl
def register_losses(register: Register) -> None:
    register("cma", CrossModalAlignment)
