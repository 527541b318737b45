"""Symmetric contrast of sentences and pictures with a learned temperature: an image-text model in the making."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import Field

from dalr_bench import Dims, JointSpace, LossInputs, LossOutput, SuiteError, TeacherImage, TrainingError, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.formulas.contrast import leave_out, matching_both_ways
from dalr_bench_plugins.formulas.rows import image_rows
from dalr_bench_plugins.formulas.similarity import cosines, same_image, unit

if TYPE_CHECKING:
    from torch import Tensor


class ImageText:
    """½ [CE over pictures + CE over sentences] of s·cos(g_t(x), g_v(image)), s learned; mean over the views.

    Source: CLIP (Radford et al. 2021, fig. 3); mlfoundations/open_clip@89fb801:src/open_clip/loss.py. s starts at
    1/`temperature` (.07) and stays at or below `max_scale` (100); `learned: false` freezes it. Heads are `heads`
    (linear in CLIP) to `dim`; the text side starts from the pooled row, before the training head.

    The image side is either a teacher's rows (`image`) or the pictures themselves (`pixels`: their edge) through a
    small convolutional tower of these `channels`, trained here from scratch: with it a run of this loss alone is an
    image-text teacher. `same_image: mask` leaves out pairs that only seem wrong because two captions share a picture;
    CLIP keeps them. Offers its space; `project_image` takes pictures uint8 [N, 3, P, P] where `pixels` is set, else
    the teacher's rows.
    """

    views = 1

    def __init__(
        self,
        image: TeacherImage | None = None,
        pixels: Annotated[int, Field(ge=4)] | None = None,
        dim: Annotated[int, Field(gt=0)] = 128,
        channels: list[Annotated[int, Field(gt=0)]] = [32, 64, 96, 128],  # noqa: B006  # read, never changed
        heads: Literal["linear", "tanh", "none"] = "linear",
        temperature: Annotated[float, Field(gt=0)] = 0.07,
        max_scale: Annotated[float, Field(gt=0)] | None = 100.0,
        learned: bool = True,
        same_image: Literal["keep", "mask"] = "keep",
        *,
        dims: Dims,
    ) -> None:
        from torch import nn

        from dalr_bench_plugins.networks.heads import head
        from dalr_bench_plugins.networks.image_tower import ImageTower
        from dalr_bench_plugins.networks.scale import LogitScale

        if (image is None) == (pixels is None):
            raise SuiteError("image_text needs one image side: `image` (a teacher) or `pixels` (the pictures' edge)")
        self.image = image
        self.same_image = same_image
        self.text_head = head(heads, dims.student, dim)
        self.image_head: nn.Module
        if pixels is not None:
            self.needs_pixels = pixels
            self.image_head = ImageTower(pixels, channels, dim)
        elif image is not None:
            self.image_head = head(heads, dims.image[image], dim)
        self.scale = LogitScale(1 / temperature, max_scale, None, learned)

    def space(self, inputs: LossInputs) -> JointSpace:
        """All views of the sentences [N, V, E] and their pictures [N, E], normalised."""
        text = [self.project_text(view_ND) for view_ND in inputs.encoding.pooled_NVD.unbind(1)]
        return JointSpace(torch.stack(text, dim=1), self.project_image(self._pictures(inputs)))

    def project_text(self, pooled_ND: Tensor) -> Tensor:
        """Pooled rows of the student → [N, E], normalised."""
        return unit(self.text_head(pooled_ND))

    def project_image(self, rows_NE: Tensor) -> Tensor:
        """Pictures [N, 3, P, P] (uint8) or rows of the image teacher → [N, E], normalised."""
        return unit(self.image_head(rows_NE))

    def __call__(self, inputs: LossInputs) -> LossOutput:
        space = self.space(inputs)
        keys_N = inputs.batch.image_of_N
        out_NN = same_image(keys_N) if self.same_image == "mask" and keys_N is not None else None
        views = [cosines(view_NE, space.image_NE) for view_NE in space.text_NVE.unbind(1)]
        loss = torch.stack([matching_both_ways(leave_out(self.scale(cos_NN), out_NN)) for cos_NN in views]).mean()
        return LossOutput(loss, {"scale": self.scale.scale.detach()})

    def _pictures(self, inputs: LossInputs) -> Tensor:
        if self.image is not None:
            return image_rows(inputs.teachers[self.image], self.image)
        if inputs.batch.pixels_NCPP is None:
            raise TrainingError("image_text looks at pictures, and this stream has none: name its streams with `on`")
        return inputs.batch.pixels_NCPP


@hookimpl
def register_losses(register: Register) -> None:
    register("image_text", ImageText)
