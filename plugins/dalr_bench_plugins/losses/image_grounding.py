"""Contrast of sentences and their pictures in a joint space made by two heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import Field

from dalr_bench import Dims, JointSpace, LossInputs, LossOutput, SuiteError, TeacherImage, TeacherText, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.formulas.contrast import leave_out, matching
from dalr_bench_plugins.formulas.rows import image_rows, text_rows
from dalr_bench_plugins.formulas.similarity import (
    cosines,
    diagonal,
    exact,
    same_image,
    single,
    teacher_cosines,
    unit,
    with_margin,
)

if TYPE_CHECKING:
    from torch import Tensor


class ImageGrounding:
    """Sentences find their picture, in both views: ½ Σ_a mean_i −log softmax_j(arc(cos(p^a_i, v_j))/τ)_i.

    p^a = g_t(pooled rows of view a, before the training head), v = g_v(rows of the teacher `image`), τ = `temperature`,
    heads Linear + Tanh to `dim`. Source: MCSE (Zhang et al. 2022); uds-lsv/MCSE@3031426:src/model.py:136-156,187-191:
    256 wide, τ .05, no margin.

    Source of the rest: KDMCSE (Nguyen et al. 2024), duyngtr16061999/KDMCSE@33270bc:
    * `margin` m (radians; paper .125, code .15, DALR's code .18): negatives at an angle above m count as nearer by (1
      − S)·m, S the teacher's own cosine of the two pictures (`adaptive`; without it S = 0).
      src/model.py:70-95,286-287.
    * `text` adds the same term against g_w(that teacher's caption rows), S its caption-caption cosine (291-292);
      `combine` mean is the paper, sum the code (303).
    * `threshold` takes negatives out whose teacher score is ABOVE it. Of the paper's threshold (.85–.9) the released
      code keeps .8 and leaves it off (294-298, src/train_mix.py:322-337). `threshold_of` what: `product`, the
      un-normalised product of image and caption rows, is the code; `cosine` is the same normalised; `within` compares
      pictures with pictures (and captions with captions in the text term), the only reading in which .85 is a usual
      CLIP cosine.

    `heads`: tanh (papers), linear, or none (rows already in one space). `same_image: mask` leaves out other captions'
    pictures where it is the same picture (no paper does). Offers its space to other losses and to retrieval.
    """

    views = 2

    def __init__(
        self,
        image: TeacherImage,
        dim: Annotated[int, Field(gt=0)] = 256,
        temperature: Annotated[float, Field(gt=0)] = 0.05,
        margin: Annotated[float, Field(ge=0, lt=3.14)] = 0.0,
        adaptive: bool = True,
        text: TeacherText | None = None,
        combine: Literal["mean", "sum"] = "mean",
        threshold: float | None = None,
        threshold_of: Literal["cosine", "product", "within"] = "cosine",
        heads: Literal["tanh", "linear", "none"] = "tanh",
        same_image: Literal["keep", "mask"] = "keep",
        *,
        dims: Dims,
    ) -> None:
        from dalr_bench_plugins.networks.heads import head

        if threshold is not None and threshold_of != "within" and text is None:
            raise SuiteError(
                f"image_grounding: threshold_of: {threshold_of} needs caption rows: name a teacher in `text`"
            )
        self.image, self.text = image, text
        self.temperature, self.margin, self.adaptive = temperature, margin, adaptive
        self.combine = combine
        self.threshold, self.threshold_of = threshold, threshold_of
        self.same_image = same_image
        self.text_head = head(heads, dims.student, dim)
        self.image_head = head(heads, dims.image[image], dim)
        if text is not None:
            self.teacher_text_head = head(heads, dims.text[text], dim)

    def space(self, inputs: LossInputs) -> JointSpace:
        """Both views of the sentences [N, V, E] and their pictures [N, E], normalised."""
        pooled_NVD = inputs.encoding.pooled_NVD
        text_NVE = torch.stack([self.project_text(view_ND) for view_ND in pooled_NVD.unbind(1)], dim=1)
        return JointSpace(text_NVE, self.project_image(image_rows(inputs.teachers[self.image], self.image)))

    def project_text(self, pooled_ND: Tensor) -> Tensor:
        """Pooled rows of the student → [N, E], normalised."""
        return unit(self.text_head(pooled_ND))

    def project_image(self, rows_NE: Tensor) -> Tensor:
        """Rows of the image teacher → [N, E], normalised."""
        return unit(self.image_head(rows_NE))

    def __call__(self, inputs: LossInputs) -> LossOutput:
        space = self.space(inputs)
        own = inputs.teachers[self.image]
        image = self._term(space.text_NVE, space.image_NE, teacher_cosines(own, "image"), self._out(inputs, "image"))
        if self.text is None:
            return LossOutput(image)
        theirs = inputs.teachers[self.text]
        target_NE = self.teacher_text_head(text_rows(theirs, self.text))
        text = self._term(space.text_NVE, target_NE, teacher_cosines(theirs, "text"), self._out(inputs, "text"))
        loss = (image + text) / 2 if self.combine == "mean" else image + text
        return LossOutput(loss, {"image": image.detach(), "text": text.detach()})

    def _term(self, text_NVE: Tensor, target_NE: Tensor, soft_NN: Tensor, out_NN: Tensor | None) -> Tensor:
        """Mean over the views of the contrast with one kind of target."""
        terms = []
        for view_NE in text_NVE.unbind(1):
            cos_NN = with_margin(cosines(view_NE, target_NE), self.margin, soft_NN if self.adaptive else None)
            terms.append(matching(leave_out(cos_NN / self.temperature, out_NN)))
        return torch.stack(terms).mean()

    def _out(self, inputs: LossInputs, target: Literal["image", "text"]) -> Tensor | None:
        """Pairs that are no negatives, [N, N]: rows are captions, columns pictures (or the teacher's captions)."""
        keys_N = inputs.batch.image_of_N
        out_NN = same_image(keys_N) if self.same_image == "mask" and keys_N is not None else None
        if self.threshold is None:
            return out_NN
        scores_NN = self._scores(inputs, target)
        above_NN = (scores_NN > self.threshold) & ~diagonal(scores_NN)
        return above_NN if out_NN is None else above_NN | out_NN

    def _scores(self, inputs: LossInputs, target: Literal["image", "text"]) -> Tensor:
        """What the threshold looks at, [N, N]. In the text term the code transposes: picture of i with caption of j."""
        if self.threshold_of == "within":
            name = self.image if target == "image" or self.text is None else self.text
            return teacher_cosines(inputs.teachers[name], target)
        assert self.text is not None  # the constructor saw to it
        captions_NE = single(text_rows(inputs.teachers[self.text], self.text))
        pictures_NE = single(image_rows(inputs.teachers[self.image], self.image))
        if self.threshold_of == "cosine":
            captions_NE, pictures_NE = unit(captions_NE), unit(pictures_NE)
        with exact(captions_NE):
            scores_NN = captions_NE @ pictures_NE.T
        return scores_NN if target == "image" else scores_NN.T


@hookimpl
def register_losses(register: Register) -> None:
    register("image_grounding", ImageGrounding)
