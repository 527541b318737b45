"""A loss of one paper's one term: the columns of the student's rows should each say something else."""

from __future__ import annotations

import torch

from dalr_bench import LossInputs, LossOutput, hookimpl


class Decorrelation:
    """sum over i != j of C_ij^2, over D, C [D, D] the covariance of the rows of a batch after the head; mean over the views.

    `unbiased`: divide the covariance by N - 1 (the paper) or by N. Source: VICReg, Bardes et al. 2022 (arXiv:2105.04906),
    equations 3 and 4. One row has no covariance: the loss is then zero.
    """

    views = 2

    def __init__(self, unbiased: bool = True) -> None:
        self.unbiased = unbiased

    def __call__(self, inputs: LossInputs) -> LossOutput:
        rows_VND = inputs.encoding.projected_NVD.float().transpose(0, 1)
        count, width = rows_VND.shape[1:]
        centred_VND = rows_VND - rows_VND.mean(1, keepdim=True)
        cov_VDD = centred_VND.mT @ centred_VND / max(1, count - 1 if self.unbiased else count)
        others_DD = 1 - torch.eye(width, device=cov_VDD.device)
        loss = (cov_VDD * others_DD).square().sum((1, 2)).mean() / width
        return LossOutput(loss, {"variance": cov_VDD.detach().diagonal(dim1=1, dim2=2).mean()})


@hookimpl
def register_losses(register):
    register("decorrelation", Decorrelation)
