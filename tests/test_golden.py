"""The authors' numbers, and the same cases at other sizes and parameters against loops."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from by_hand import (
    arc,
    assert_same,
    blended,
    cos,
    cross_entropy,
    dropped,
    kl,
    log_shares,
    mean,
    order_losses,
    rows,
    scaled,
    table,
    transposed,
)
from golden_adapter import CASES, compute
from torch import Tensor

Case = Callable[[dict[str, Tensor], dict[str, Any]], Tensor]
SIZES = [(7, 9), (10, 4)]
VIEWS = ("z1", "z2")


def test_the_authors_own_numbers(shared: Path) -> None:
    """Every golden case, by the checker that the numbers came with."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, str(shared / "golden" / "check.py"), "--project", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    cases = json.loads((shared / "golden" / "cases.json").read_text())["cases"]
    counted = sum("loss" in case for case in cases.values())
    assert counted == 19
    assert f"{counted} passed, 0 failed" in done.stdout
    assert {name for name, case in cases.items() if "loss" in case} == set(CASES)


def tensors(n: int, width: int, wrt: tuple[str, ...]) -> dict[str, Tensor]:
    names = ("z1", "z2", "p1", "p2", "v", "t", "ta_z1", "ta_z2", "tb_z1", "tb_z2")
    return {name: rows(n, width, seed, grad=name in wrt) for seed, name in enumerate(names)}


def infonce(t: dict[str, Tensor], p: dict[str, Any]) -> Tensor:
    return cross_entropy(scaled(arc(table(t["z1"], t["z2"]), p.get("margin", 0.0)), 1 / p["temp"]))


def mcse_cross(t: dict[str, Tensor], p: dict[str, Any]) -> Tensor:
    return mean([cross_entropy(scaled(table(t[view], t["v"]), 1 / p["temp_vl"])) for view in ("p1", "p2")])


def kdmcse_cross(t: dict[str, Tensor], p: dict[str, Any]) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    products = [[a @ b for b in t["v"]] for a in t["t"]]
    for target, scores in (("v", products), ("t", transposed(products))):
        soft = table(t[target], t[target])
        for view in ("p1", "p2"):
            logits = scaled(arc(table(t[view], t[target]), p["margin"], soft), 1 / p["temp_vl"])
            for i, row in enumerate(logits):
                kept = [j for j in range(len(row)) if j == i or not scores[i][j] > p.get("threshold", float("inf"))]
                total = total - log_shares([row[j] for j in kept])[kept.index(i)] / len(logits) / 2
    return total


def mixed(t: dict[str, Tensor], p: dict[str, Any], second: str) -> Any:
    first = table(t["ta_z1"], t[f"ta_{second}"])
    return first if "alpha" not in p else blended(first, table(t["tb_z1"], t[f"tb_{second}"]), p["alpha"])


def listmle(t: dict[str, Tensor], p: dict[str, Any]) -> Tensor:
    scores = scaled(table(t["z1"], t["z2"]), 1 / p["tau2"])
    return mean([sum(order_losses(a, b, 1e-7)) for a, b in zip(mixed(t, p, "z2"), scores, strict=True)])


def paper_listmle(t: dict[str, Tensor], p: dict[str, Any]) -> Tensor:
    scores = dropped(scaled(table(t["z1"], t["z2"]), 1 / p["tau"]))
    return mean([mean(order_losses(a, b)) for a, b in zip(dropped(mixed(t, p, "z1")), scores, strict=True)])


def listnet(t: dict[str, Tensor], p: dict[str, Any]) -> Tensor:
    target = [log_shares(row) for row in dropped(scaled(mixed(t, p, "z2"), 1 / p["tau2"]))]
    scores = [log_shares(row) for row in dropped(scaled(table(t["z1"], t["z2"]), 1 / p["tau2"]))]
    return mean([-sum(q.exp() * s for q, s in zip(a, b, strict=True)) for a, b in zip(target, scores, strict=True)])


def averaged(t: dict[str, Tensor], p: dict[str, Any]) -> Any:
    both = p["alpha"] * t["ta_z1"] + (1 - p["alpha"]) * t["tb_z1"]
    return scaled(table(both, both), 1 / p["teacher_tau"])


def released(t: dict[str, Tensor], p: dict[str, Any], right: Tensor) -> Any:
    return scaled(arc(table(t["z1"], right), p.get("margin", 0.0)), 1 / p["temp"] / p["tau"])


def cma(t: dict[str, Tensor], p: dict[str, Any]) -> Tensor:
    logits, image = released(t, p, t["v"]), scaled(table(t["v"], t["v"]), 1 / p["teacher_tau"])
    return (mean(kl(averaged(t, p), logits)) + mean(kl(image, transposed(logits)))) / 2


def ima(t: dict[str, Tensor], p: dict[str, Any]) -> Tensor:
    return mean(kl(averaged(t, p), released(t, p, t["z2"])))


def paper_cma(t: dict[str, Tensor], p: dict[str, Any]) -> Tensor:
    logits, image = scaled(table(t["p1"], t["v"]), 1 / p["tau"]), scaled(table(t["v"], t["v"]), 1 / p["tau"])
    return (mean(kl(scaled(mixed(t, p, "z1"), 1 / p["tau"]), logits)) + mean(kl(image, transposed(logits)))) / 2


def paper_ima(t: dict[str, Tensor], p: dict[str, Any]) -> Tensor:
    scores = scaled(table(t["z1"], t["z2"]), 1 / p["tau"])
    return mean(kl(scaled(mixed(t, p, "z1"), 1 / p["tau"]), scores))


def consistency(t: dict[str, Tensor], p: dict[str, Any]) -> Tensor:
    n = len(t["z1"])
    partner = p["mismatch"] if "mismatch" in p else [(i - p["roll"]) % n for i in range(n)]
    matched = [1 - cos(t["z1"][i], t["v"][i]) for i in range(n)]
    wrong = [(cos(t["z1"][i], t["v"][partner[i]]) - p["margin"]).clamp_min(0) for i in range(n)]
    return mean([*matched, *wrong])


# Case, what it is differentiated by, its parameters (none of them those of the golden file), the loops.
OTHERS: list[tuple[str, tuple[str, ...], dict[str, Any], Case]] = [
    ("simcse_infonce", VIEWS, {"temp": 0.1}, infonce),
    ("mcse_cross", ("p1", "p2", "v"), {"temp_vl": 0.02}, mcse_cross),
    ("kdmcse_arc_infonce_a", VIEWS, {"temp": 0.07, "margin": 0.125}, infonce),
    ("kdmcse_arc_infonce_b", VIEWS, {"temp": 0.2, "margin": 0.9}, infonce),
    ("kdmcse_cross", ("p1", "p2"), {"temp_vl": 0.1, "margin": 0.3}, kdmcse_cross),
    ("kdmcse_cross_threshold", ("p1", "p2"), {"temp_vl": 0.1, "margin": 0.3, "threshold": -0.2}, kdmcse_cross),
    ("listmle_single", VIEWS, {"tau2": 0.3}, listmle),
    ("listmle_multi", VIEWS, {"tau2": 0.02, "alpha": 0.8}, listmle),
    ("listnet_multi", VIEWS, {"tau2": 0.1, "alpha": 0.5}, listnet),
    ("cma_official", ("z1",), {"temp": 0.1, "margin": 0.1, "tau": 0.9, "teacher_tau": 0.2, "alpha": 0.6}, cma),
    ("cma_cosine", ("z1",), {"temp": 0.2, "tau": 1.0, "teacher_tau": 0.1, "alpha": 0.0}, cma),
    ("ima_official", VIEWS, {"temp": 0.1, "margin": 0.5, "tau": 0.3, "teacher_tau": 1.5, "alpha": 1.0}, ima),
    ("ima_cosine", VIEWS, {"temp": 0.5, "tau": 0.45, "teacher_tau": 0.5, "alpha": 0.5}, ima),
    ("consistency", ("z1", "v"), {"margin": -0.1, "roll": 3}, consistency),
    ("dalr_info_official", VIEWS, {"temp": 0.05, "margin": 0.25}, infonce),
    ("paper_listmle", VIEWS, {"tau": 0.2, "alpha": 0.9}, paper_listmle),
    ("paper_ima", VIEWS, {"tau": 0.5, "alpha": 0.1}, paper_ima),
    ("paper_cma", ("p1",), {"tau": 0.2, "alpha": 0.5}, paper_cma),
    ("paper_consistency", ("z1", "v"), {"margin": 0.4}, consistency),
]


@pytest.mark.parametrize(("n", "width"), SIZES)
@pytest.mark.parametrize(("case", "wrt", "params", "loops"), OTHERS, ids=[other[0] for other in OTHERS])
def test_other_sizes_and_parameters(
    case: str, wrt: tuple[str, ...], params: dict[str, Any], loops: Case, n: int, width: int
) -> None:
    if case == "paper_consistency":
        params = params | {"mismatch": [(i + 2) % n for i in range(n)]}
    given = tensors(n, width, wrt)
    assert_same(compute(case, given, params), loops(given, params), [given[name] for name in wrt], tolerance=1e-7)


def test_every_case_is_covered() -> None:
    assert {case for case, *_ in OTHERS} == set(CASES)
