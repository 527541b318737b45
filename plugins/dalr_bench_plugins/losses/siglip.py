"""Every text-image pair judged on its own, by a sigmoid with learned scale and bias."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import Field

from dalr_bench import Dims, JointSpace, LossInputs, LossOutput, SpaceName, SuiteError, TeacherImage, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.formulas.contrast import pairwise
from dalr_bench_plugins.formulas.rows import image_rows
from dalr_bench_plugins.formulas.similarity import cosines, same_image, unit

if TYPE_CHECKING:
    from torch import Tensor, nn

    from dalr_bench_plugins.networks.scale import LogitScale

SameImage = Literal["negative", "mask", "positive"]


class Judge:
    """The formula, over any joint space."""

    views = 1

    def __init__(self, scale: LogitScale, same_image: SameImage) -> None:
        self.scale = scale
        self.same_image = same_image

    def loss(self, space: JointSpace, keys_N: Tensor | None) -> LossOutput:
        """−(1/N) Σ_ij log σ(y_ij (s·cos + b)), mean over the views."""
        same_NN = None if keys_N is None or self.same_image == "negative" else same_image(keys_N)
        shared = same_NN if self.same_image == "positive" else None
        out = same_NN if self.same_image == "mask" else None
        views = [self.scale(cosines(view_NE, space.image_NE)) for view_NE in space.text_NVE.unbind(1)]
        loss = torch.stack([pairwise(logits_NN, shared, out) for logits_NN in views]).mean()
        return LossOutput(loss, {"scale": self.scale.scale.detach()})


class SiglipOverSpace(Judge):
    """siglip over the joint space of another loss."""

    def __init__(self, space: str, scale: LogitScale, same_image: SameImage) -> None:
        super().__init__(scale, same_image)
        self.space_name = space

    def __call__(self, inputs: LossInputs) -> LossOutput:
        return self.loss(inputs.spaces[self.space_name], inputs.batch.image_of_N)


class SiglipOwnHeads(Judge):
    """siglip with its own heads, whose space it offers."""

    def __init__(
        self, image: str, heads: tuple[nn.Module, nn.Module], scale: LogitScale, same_image: SameImage
    ) -> None:
        super().__init__(scale, same_image)
        self.image = image
        self.text_head, self.image_head = heads

    def space(self, inputs: LossInputs) -> JointSpace:
        """All views of the sentences [N, V, E] and their pictures [N, E], normalised."""
        text = [self.project_text(view_ND) for view_ND in inputs.encoding.pooled_NVD.unbind(1)]
        return JointSpace(torch.stack(text, 1), self.project_image(image_rows(inputs.teachers[self.image], self.image)))

    def project_text(self, pooled_ND: Tensor) -> Tensor:
        """Pooled rows of the student → [N, E], normalised."""
        return unit(self.text_head(pooled_ND))

    def project_image(self, rows_NE: Tensor) -> Tensor:
        """Rows of the image teacher → [N, E], normalised."""
        return unit(self.image_head(rows_NE))

    def __call__(self, inputs: LossInputs) -> LossOutput:
        return self.loss(self.space(inputs), inputs.batch.image_of_N)


def siglip(
    image: TeacherImage | None = None,
    space: SpaceName | None = None,
    dim: Annotated[int, Field(gt=0)] = 256,
    heads: Literal["linear", "tanh", "none"] = "linear",
    scale: Annotated[float, Field(gt=0)] = 10.0,
    bias: float = -10.0,
    learned: bool = True,
    same_image: Literal["negative", "mask", "positive"] = "negative",
    *,
    dims: Dims,
) -> SiglipOverSpace | SiglipOwnHeads:
    """Sigmoid contrast of sentences and pictures: −(1/N) Σ_ij log σ(y_ij (s·cos(x_i, v_j) + b)), y_ii = 1, else −1.

    Source: SigLIP (Zhai et al. 2023); mlfoundations/open_clip@89fb801:src/open_clip/loss.py:314-367,
    main.py:260: s starts at `scale` 10 (its logarithm is learned), b at `bias` −10; `learned: false` freezes both. No
    softmax, so batches need no order and other captions of the same picture can be told: `same_image` negative
    (paper), mask, or positive.

    Over the space of another loss (`space`), or with own `heads` to `dim` on the pooled rows and the rows of the
    teacher `image`; then it offers that space to others. Mean over the views there are; one is enough.
    """
    from dalr_bench_plugins.networks.heads import head
    from dalr_bench_plugins.networks.scale import LogitScale

    if (image is None) == (space is None):
        raise SuiteError("siglip needs either `space` (a loss that has one) or `image` (a teacher, for own heads)")
    judge = LogitScale(scale, None, bias, learned)
    if space is not None:
        return SiglipOverSpace(space, judge, same_image)
    assert image is not None  # exactly one of the two is given
    own = (head(heads, dims.student, dim), head(heads, dims.image[image], dim))
    return SiglipOwnHeads(image, own, judge, same_image)


@hookimpl
def register_losses(register: Register) -> None:
    register("siglip", siglip)
