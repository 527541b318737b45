"""Sentences and their own picture agree, sentences and another's picture do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import Field

from dalr_bench import Dims, LossInputs, LossOutput, TeacherImage, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.formulas.mismatch import deranged, pair_losses, rolled
from dalr_bench_plugins.formulas.rows import image_rows
from dalr_bench_plugins.formulas.similarity import exact, unit

if TYPE_CHECKING:
    from torch import Tensor


class Consistency:
    """Matched pairs cost 1 − cos, mismatched max(0, cos − m): the mean of both kinds over all 2N pairs.

    (1/2N) Σ_i [1 − cos(h_i, s_i)] + [max(0, cos(h_i, s_π(i)) − m)], h = B_t(z1) of the first view after the training
    head, s = B_v(rows of the teacher `image`), m = `margin`. Source: DALR (2025), cross-modal consistency; m = .2 in
    the formula and in Hekang001/DALR@c53e1fc:src/model_modified.py:518,641-651 (CosineEmbeddingLoss with labels ±1).

    π (`mismatch: derangement`): a random permutation that never gives a sentence a caption-mate's picture (the formulas
    say "shuffled"); drawn from the step's generator, by the picture's key. Where one picture has more than half of the
    batch no such π exists: pairs that met their own picture are then left out, and the mean is over the rest.
    `mismatch: roll` with `roll: k` is the released code's fixed turn (k = 5, 486-497), same picture or not; it is the
    identity where k divides by the batch size.

    Towers (100-135): `layers` times Linear → BatchNorm → ReLU, `dim` wide at the end and `hidden` before it (768 in the
    code; left out, `dim`). `batchnorm: false` leaves the norm out, `final: false` ends on the bare Linear (with it
    cosines lie in [0, 1]); `layers: 0` takes the rows as they are.
    Departure: s is computed once and permuted, so its BatchNorm statistics are of N pictures either way.
    """

    views = 1

    def __init__(
        self,
        image: TeacherImage,
        dim: Annotated[int, Field(gt=0)] = 256,
        hidden: Annotated[int, Field(gt=0)] | None = None,
        margin: Annotated[float, Field(ge=-1, le=1)] = 0.2,
        mismatch: Literal["derangement", "roll"] = "derangement",
        roll: Annotated[int, Field(ge=1)] = 5,
        layers: Annotated[int, Field(ge=0)] = 2,
        batchnorm: bool = True,
        final: bool = True,
        *,
        dims: Dims,
    ) -> None:
        from torch import nn

        from dalr_bench_plugins.networks.heads import Tower, head

        self.image = image
        self.margin = margin
        self.mismatch = mismatch
        self.roll = roll
        if layers == 0:
            self.text_tower: nn.Module = head("none", dims.student, dims.image[image])
            self.image_tower: nn.Module = nn.Identity()
        else:
            inner = [*[hidden or dim] * (layers - 1), dim]
            self.text_tower = Tower([dims.student, *inner], batchnorm, final)
            self.image_tower = Tower([dims.image[image], *inner], batchnorm, final)

    def __call__(self, inputs: LossInputs) -> LossOutput:
        text_NE = unit(self.text_tower(inputs.encoding.projected_NVD[:, 0]))
        image_NE = unit(self.image_tower(image_rows(inputs.teachers[self.image], self.image)))
        partner_N, valid_N = self.partners(inputs)
        with exact(text_NE):
            right_N = 1 - (text_NE * image_NE).sum(1)
            wrong_N = pair_losses((text_NE * image_NE[partner_N]).sum(1), self.margin) * valid_N
        loss = (right_N.sum() + wrong_N.sum()) / (len(right_N) + valid_N.sum())
        return LossOutput(
            loss,
            {"matched": right_N.detach().mean(), "mismatched": wrong_N.detach().sum() / valid_N.sum().clamp_min(1)},
        )

    def partners(self, inputs: LossInputs) -> tuple[Tensor, Tensor]:
        """Row of the wrong picture for every sentence [N], and 1 where the pair takes part [N]."""
        keys_N = inputs.batch.image_of_N
        if keys_N is None:
            keys_N = torch.arange(len(inputs.batch.rows_N), device=inputs.batch.rows_N.device)
        if self.mismatch == "roll":
            partner_N = rolled(keys_N, self.roll)
            return partner_N, torch.ones_like(partner_N)
        partner_N = deranged(keys_N, inputs.generator)
        return partner_N, (keys_N[partner_N] != keys_N).long()


@hookimpl
def register_losses(register: Register) -> None:
    register("consistency", Consistency)
