"""Contrast of two views of a sentence; with triplets, supervised contrast with hard negatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import Field

from dalr_bench import LossInputs, LossOutput, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.formulas.contrast import leave_out, matching, matching_both_ways
from dalr_bench_plugins.formulas.similarity import cosines, diagonal, same_image, with_margin

if TYPE_CHECKING:
    from torch import Tensor


class InfoNce:
    """Two dropout views of a sentence agree against the batch: mean_i −log softmax_j(arc_m(cos(z1_i, z2_j))/τ)_i.

    z1, z2 [N, D]: the first two views after the training head. Source: SimCSE (Gao et al. 2021);
    princeton-nlp/SimCSE@49fa580:simcse/models.py:194-212. Rows only (N−1 negatives); `symmetric` averages rows and
    columns.

    `temperature` .05 in every paper of the line. `margin` (radians): 0 in SimCSE, MCSE and DALR's formulas; KDMCSE's
    code has .15 (33270bc:src/model.py:243,272), DALR's .18 (c53e1fc:src/model_modified.py:513,628): negatives at an
    angle above m count as nearer by m. `same_image: mask` leaves out other captions of the same picture (no paper
    does).

    Triplets (supervised SimCSE): V = 3 views are anchor, positive and hard negative of a row; every further
    view is one more hard negative. All hard negatives of the batch join each row's sum, its own with
    `hard_negative_weight` added to the logit: the log of the paper's weight α (0 is α = 1;
    SimCSE@49fa580:simcse/models.py:204-211). The margin stays off them. Columns stay unused with triplets:
    `symmetric` then concerns the first two views only.
    """

    views = 2
    race = "dalr_bench_plugins.rivals.track"  # what `bench train` trains with

    def __init__(
        self,
        temperature: Annotated[float, Field(gt=0)] = 0.05,
        margin: Annotated[float, Field(ge=0, lt=3.14)] = 0.0,
        symmetric: bool = False,
        same_image: Literal["keep", "mask"] = "keep",
        hard_negative_weight: float = 0.0,
    ) -> None:
        self.temperature = temperature
        self.margin = margin
        self.symmetric = symmetric
        self.same_image = same_image
        self.hard_negative_weight = hard_negative_weight

    def __call__(self, inputs: LossInputs) -> LossOutput:
        views = inputs.encoding.projected_NVD.unbind(1)
        cos_NN = cosines(views[0], views[1])
        logits_NN = leave_out(with_margin(cos_NN, self.margin) / self.temperature, self._out(inputs))
        rows = matching(torch.cat([logits_NN, *(self._hard(views[0], hard) for hard in views[2:])], dim=1))
        if not self.symmetric:
            loss = rows
        elif len(views) == 2:
            loss = matching_both_ways(logits_NN)
        else:
            loss = (rows + matching(logits_NN.T)) / 2
        return LossOutput(loss, {"cosine": cos_NN.detach().diagonal().mean()})

    def _out(self, inputs: LossInputs) -> Tensor | None:
        keys_N = inputs.batch.image_of_N
        return None if self.same_image == "keep" or keys_N is None else same_image(keys_N)

    def _hard(self, anchor_ND: Tensor, hard_ND: Tensor) -> Tensor:
        logits_NN = cosines(anchor_ND, hard_ND) / self.temperature
        return logits_NN + self.hard_negative_weight * diagonal(logits_NN)


@hookimpl
def register_losses(register: Register) -> None:
    register("infonce", InfoNce)
