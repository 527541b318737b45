"""The two dropout views rank the batch alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from dalr_bench import LossInputs, LossOutput, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.formulas.divergence import js, kl, listed, log_shares, reduced
from dalr_bench_plugins.formulas.similarity import cosines

if TYPE_CHECKING:
    from torch import Tensor


class RankingConsistency:
    """mean_i JS(softmax(cos(z1_i, z2)/τ) ‖ softmax(cos(z2_i, z1)/τ)), a true Jensen–Shannon divergence (at most log 2).

    Source: RankCSE (Liu et al. 2023), ranking consistency; τ (`temperature`) = .05 as everywhere in that code.

    Two quirks of perceptiveshawty/RankCSE@17c5226:rankcse/models.py:48-61,290-294 by option. `clamp` (1e-7 there) is
    a lower bound on log m, which is never above 0: the term then is −(H(p) + H(q))/2 − clamp, below zero, and asks
    for sharpness of each view in place of agreement. `floor` (1e-7 there) bounds the probabilities from below before
    anything is computed. Its weight β is parsed and never applied there; here a weight belongs to the suite.

    `diagonal: exclude` leaves each sentence's own second view out. `rows: sum` sums over the batch.
    """

    views = 2

    def __init__(
        self,
        temperature: Annotated[float, Field(gt=0)] = 0.05,
        diagonal: Literal["include", "exclude"] = "include",
        clamp: float | None = None,
        floor: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        rows: Literal["mean", "sum"] = "mean",
    ) -> None:
        self.temperature = temperature
        self.diagonal = diagonal
        self.clamp, self.floor = clamp, floor
        self.rows = rows

    def __call__(self, inputs: LossInputs) -> LossOutput:
        views = inputs.encoding.projected_NVD
        cos_NN = cosines(views[:, 0], views[:, 1])
        log_p_NM, log_q_NM = self._log_shares(cos_NN), self._log_shares(cos_NN.T)
        if self.clamp is None:
            return LossOutput(reduced(js(log_p_NM, log_q_NM), self.rows))
        log_m_NM = ((log_p_NM.exp() + log_q_NM.exp()) / 2).log().clamp_min(self.clamp)
        return LossOutput(reduced((kl(log_p_NM, log_m_NM) + kl(log_q_NM, log_m_NM)) / 2, self.rows))

    def _log_shares(self, cos_NN: Tensor) -> Tensor:
        log_NM = log_shares(listed(cos_NN / self.temperature, self.diagonal))
        return log_NM.exp().clamp_min(self.floor).log() if self.floor else log_NM


@hookimpl
def register_losses(register: Register) -> None:
    register("ranking_consistency", RankingConsistency)
