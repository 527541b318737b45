"""The golden cases through our own components: which options are the authors' code, and which the paper's formulas."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dalr_bench import Dims, JointSpace, LossInputs, TeacherRows
from dalr_bench_plugins.formulas.similarity import cosines
from dalr_bench_plugins.losses.cma import CrossModalAlignment
from dalr_bench_plugins.losses.consistency import Consistency
from dalr_bench_plugins.losses.ima import IntraModalAlignment
from dalr_bench_plugins.losses.image_grounding import ImageGrounding
from dalr_bench_plugins.losses.infonce import InfoNce
from dalr_bench_plugins.losses.listmle import ListMle
from dalr_bench_plugins.losses.listnet import ListNet

sys.path.insert(0, str(Path(__file__).resolve().parent))  # the checker loads this file alone
from loss_inputs import loss_inputs

Tensors = Mapping[str, Tensor]
Params = Mapping[str, Any]


class Given(nn.Module):
    """Stands for a trained head whose output the case gives (and differentiates by)."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, _: Tensor) -> Tensor:
        return self.rows


class GivenPartners(Consistency):
    """The mismatched pictures are the case's."""

    wrong: Tensor

    def partners(self, inputs: LossInputs) -> tuple[Tensor, Tensor]:
        return self.wrong, torch.ones_like(self.wrong)


def compute(case: str, tensors: Tensors, params: Params) -> Tensor:
    """The loss of a golden case, with its graph. Raises KeyError for a case nobody told us about."""
    return CASES[case](tensors, params)


def _views(t: Tensors) -> list[Tensor]:
    return [t["z1"], t["z2"]]


def _infonce(t: Tensors, p: Params) -> Tensor:
    return InfoNce(temperature=p["temp"], margin=p.get("margin", 0.0))(loss_inputs(_views(t))).loss


def _dims(t: Tensors) -> Dims:
    return Dims(student=t["z1"].shape[1], text={"clip": t["t"].shape[1]}, image={"clip": t["v"].shape[1]})


def _clip(t: Tensors) -> dict[str, TeacherRows]:
    return {"clip": TeacherRows(text_NT=t["t"], image_NE=t["v"])}


def _grounding(t: Tensors, **options: Any) -> ImageGrounding:
    dims = Dims(student=t["p1"].shape[1], text={"clip": t["t"].shape[1]}, image={"clip": t["v"].shape[1]})
    return ImageGrounding("clip", dim=dims.student, heads="none", dims=dims, **options)


def _mcse_cross(t: Tensors, p: Params) -> Tensor:
    loss = _grounding(t, temperature=p["temp_vl"])
    loss.image_head = Given(t["v"])
    return loss(loss_inputs([t["p1"], t["p2"]], _clip(t))).loss


def _kdmcse_cross(t: Tensors, p: Params) -> Tensor:
    loss = _grounding(
        t,
        temperature=p["temp_vl"],
        margin=p["margin"],
        text="clip",
        combine="sum",
        threshold=p.get("threshold"),
        threshold_of="product",
    )
    return loss(loss_inputs([t["p1"], t["p2"]], _clip(t))).loss


def _mixed(t: Tensors, p: Params, second: str) -> TeacherRows:
    """Teachers blended by similarity; `second` names the teachers' second view, which released code compares with."""
    sim_NN = cosines(t["ta_z1"], t[f"ta_{second}"])
    if "alpha" in p:
        sim_NN = p["alpha"] * sim_NN + (1 - p["alpha"]) * cosines(t["tb_z1"], t[f"tb_{second}"])
    return TeacherRows(sim_NN=sim_NN)


def _averaged(t: Tensors, p: Params) -> TeacherRows:
    """Teachers blended by raw vectors."""
    return TeacherRows(text_NT=p["alpha"] * t["ta_z1"] + (1 - p["alpha"]) * t["tb_z1"])


def _listmle(t: Tensors, p: Params) -> Tensor:
    loss = ListMle("rank", temperature=p["tau2"], diagonal="include", reduction="sum", floor=1e-7)
    return loss(loss_inputs(_views(t), {"rank": _mixed(t, p, "z2")})).loss


def _paper_listmle(t: Tensors, p: Params) -> Tensor:
    return ListMle("rank", temperature=p["tau"])(loss_inputs(_views(t), {"rank": _mixed(t, p, "z1")})).loss


def _listnet(t: Tensors, p: Params) -> Tensor:
    loss = ListNet("rank", student_temperature=p["tau2"], teacher_temperature=p["tau2"])
    return loss(loss_inputs(_views(t), {"rank": _mixed(t, p, "z2")})).loss


def _released(p: Params) -> dict[str, float]:
    """Logits are cosines over `temp`, divided by `tau` once more."""
    student = p["temp"] * p["tau"]
    return {"student_temperature": student, "teacher_temperature": p["teacher_tau"], "margin": p.get("margin", 0.0)}


def _cma(t: Tensors, p: Params) -> Tensor:
    loss = CrossModalAlignment("mix", "clip", student="raw", dims=_dims(t), **_released(p))
    return loss(loss_inputs(_views(t), {"mix": _averaged(t, p), **_clip(t)})).loss


def _paper_cma(t: Tensors, p: Params) -> Tensor:
    both = {"student_temperature": p["tau"], "teacher_temperature": p["tau"]}
    loss = CrossModalAlignment("mix", "clip", space="joint", dims=_dims(t), **both)
    spaces = {"joint": JointSpace(t["p1"][:, None], t["v"])}
    return loss(loss_inputs(_views(t), {"mix": _mixed(t, p, "z1"), **_clip(t)}, spaces=spaces)).loss


def _ima(t: Tensors, p: Params) -> Tensor:
    return IntraModalAlignment("mix", **_released(p))(loss_inputs(_views(t), {"mix": _averaged(t, p)})).loss


def _paper_ima(t: Tensors, p: Params) -> Tensor:
    loss = IntraModalAlignment("mix", student_temperature=p["tau"], teacher_temperature=p["tau"])
    return loss(loss_inputs(_views(t), {"mix": _mixed(t, p, "z1")})).loss


def _consistency(t: Tensors, p: Params) -> Tensor:
    loss = Consistency("clip", margin=p["margin"], mismatch="roll", roll=p["roll"], layers=0, dims=_dims(t))
    loss.image_tower = Given(t["v"])
    return loss(loss_inputs(_views(t), _clip(t))).loss


def _paper_consistency(t: Tensors, p: Params) -> Tensor:
    loss = GivenPartners("clip", margin=p["margin"], layers=0, dims=_dims(t))
    loss.image_tower = Given(t["v"])
    loss.wrong = torch.tensor(p["mismatch"])
    return loss(loss_inputs(_views(t), _clip(t))).loss


CASES: dict[str, Callable[[Tensors, Params], Tensor]] = {
    "simcse_infonce": _infonce,
    "kdmcse_arc_infonce_a": _infonce,
    "kdmcse_arc_infonce_b": _infonce,
    "dalr_info_official": _infonce,
    "mcse_cross": _mcse_cross,
    "kdmcse_cross": _kdmcse_cross,
    "kdmcse_cross_threshold": _kdmcse_cross,
    "listmle_single": _listmle,
    "listmle_multi": _listmle,
    "listnet_multi": _listnet,
    "cma_official": _cma,
    "cma_cosine": _cma,
    "ima_official": _ima,
    "ima_cosine": _ima,
    "consistency": _consistency,
    "paper_listmle": _paper_listmle,
    "paper_cma": _paper_cma,
    "paper_ima": _paper_ima,
    "paper_consistency": _paper_consistency,
}
