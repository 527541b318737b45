"""Several teachers as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from dalr_bench import SuiteError, TeacherName, TeacherRows, hookimpl
from dalr_bench.errors import counted
from dalr_bench.plugin.spec import Register


class Blend:
    """Several teachers' text sides as one (`of`), mixed with `weights` w (scaled to Σ w = 1; left out: equal).

    * `by: similarity`: S = Σ_k w_k Cos(T_k, T_k), as a row's vector [√w_1 T̂_1 ; …], whose cosine is exactly S [N, ΣT];
    * `by: vector`: t = Σ_k w_k T_k, raw (all widths equal), as DALR's soft labels and RankCSE average vectors;
    * `by: order`: R = Σ_k w_k rank_k, where rank_k(i, j) in [0, 1] is the share of the batch that teacher k holds
      less like i than j is (a tie counts half); only orders matter, given as `sim_NN` [N, N].

    Pictures: where exactly one part has an image side, the blend has it. Weights in the sources: .33 on SimCSE and .67
    on DiffCSE (Hekang001/DALR@c53e1fc, its scripts; perceptiveshawty/RankCSE@17c5226). Raises SuiteError for weights
    that do not fit, or widths that differ under `vector`.
    """

    def __init__(
        self,
        of: list[TeacherName],
        weights: list[float] | None = None,
        by: Literal["similarity", "vector", "order"] = "similarity",
    ) -> None:
        if not of:
            raise SuiteError("blend: `of` names no teacher")
        self.of: Sequence[str] = of
        self.weights = _shares(weights if weights is not None else [1.0] * len(of), of)
        self.by = by

    def combine(self, parts: Sequence[TeacherRows]) -> TeacherRows:
        """One teacher's rows from the parts', in the order of `of`; everything stays detached."""
        images = [part.image_NE for part in parts if part.image_NE is not None]
        image_NE = images[0] if len(images) == 1 else None
        if all(part.text_NT is None and part.sim_NN is None for part in parts):
            return TeacherRows(image_NE=image_NE)
        if self.by == "order":
            ranks = [w * ranks_NN(part.similarity_NN()) for w, part in zip(self.weights, parts, strict=True)]
            return TeacherRows(sim_NN=torch.stack(ranks).sum(0), image_NE=image_NE)
        if self.by == "similarity" and any(part.sim_NN is not None for part in parts):
            mixed = [w * part.similarity_NN() for w, part in zip(self.weights, parts, strict=True)]
            return TeacherRows(sim_NN=torch.stack(mixed).sum(0), image_NE=image_NE)
        return TeacherRows(text_NT=self._vectors(parts), image_NE=image_NE)

    def _vectors(self, parts: Sequence[TeacherRows]) -> torch.Tensor:
        rows = [self._text(name, part) for name, part in zip(self.of, parts, strict=True)]
        if self.by == "similarity":
            unit = [w**0.5 * torch.nn.functional.normalize(r, dim=-1) for w, r in zip(self.weights, rows, strict=True)]
            return torch.cat(unit, dim=-1)
        widths = {name: r.shape[-1] for name, r in zip(self.of, rows, strict=True)}
        if len(set(widths.values())) > 1:
            raise SuiteError(f"blend: `by: vector` adds rows of one width, got {widths}; use `by: similarity`")
        return torch.stack([w * r for w, r in zip(self.weights, rows, strict=True)]).sum(0)

    def _text(self, name: str, part: TeacherRows) -> torch.Tensor:
        if part.text_NT is None:
            raise SuiteError(f"blend: teacher '{name}' has no text rows to mix by {self.by}")
        return part.text_NT


def _shares(weights: Sequence[float], of: Sequence[str]) -> list[float]:
    if len(weights) != len(of):
        raise SuiteError(f"blend: {counted(len(weights), 'weight')} for {counted(len(of), 'teacher')}")
    if min(weights) < 0 or sum(weights) <= 0:
        raise SuiteError(f"blend: weights must be at least 0 and not all 0, got {list(weights)}")
    return [weight / sum(weights) for weight in weights]


def ranks_NN(sim_NN: torch.Tensor) -> torch.Tensor:
    """For each row, the share of other columns that are less similar than column j (a tie counts half), in [0, 1]."""
    ordered = sim_NN.sort(dim=-1).values
    below = torch.searchsorted(ordered, sim_NN.contiguous(), right=False)
    upto = torch.searchsorted(ordered, sim_NN.contiguous(), right=True)
    return (below + (upto - 1)).to(sim_NN.dtype) / (2 * max(1, sim_NN.shape[-1] - 1))


@hookimpl
def register_teachers(register: Register) -> None:
    register("blend", Blend)
