"""The frozen teachers of a run: each asked once per corpus, then only gathered from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from dalr_bench.data.features import FeatureStore
from dalr_bench.types import Side, TeacherRows


@dataclass
class Resident:
    """Stored rows of one teacher on the device, by side."""

    text: torch.Tensor | None = None
    image: torch.Tensor | None = None
    states: torch.Tensor | None = None
    offsets: torch.Tensor | None = None

    def gather(self, rows_N: torch.Tensor, images_N: torch.Tensor | None) -> TeacherRows:
        """Rows of a batch; pictures are gathered by each sentence's picture."""
        states, mask = self._states(rows_N)
        image = None if self.image is None or images_N is None else self.image[images_N]
        return TeacherRows(None if self.text is None else self.text[rows_N], image, None, states, mask)

    def _states(self, rows_N: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        if self.states is None or self.offsets is None:
            return None, None
        start_N = self.offsets[rows_N]
        length_N = self.offsets[rows_N + 1] - start_N
        position_L = torch.arange(self._longest, device=rows_N.device)
        mask_NL = position_L < length_N[:, None]
        index_NL = (start_N[:, None] + position_L).clamp_(max=len(self.states) - 1)
        return self.states[index_NL] * mask_NL[..., None], mask_NL

    @property
    def _longest(self) -> int:
        # One width for every batch: no question to the device in the step.
        if self._width is None:
            assert self.offsets is not None
            self._width = int(self.offsets.diff().max())
        return self._width

    _width: int | None = field(default=None, repr=False)


@dataclass
class TeacherBank:
    """All teachers of one stream. `combined` are teachers made of others' rows, in an order in which parts come first."""

    stored: Mapping[str, Resident]
    combined: Mapping[str, Any]

    def gather(self, rows_N: torch.Tensor, images_N: torch.Tensor | None) -> dict[str, TeacherRows]:
        """Every teacher's rows for a batch, detached by construction."""
        out = {name: resident.gather(rows_N, images_N) for name, resident in self.stored.items()}
        for name, teacher in self.combined.items():
            with torch.no_grad():
                out[name] = teacher.combine([out[part] for part in teacher.of])
        return out


def resident(stores: Mapping[Side, FeatureStore], device: torch.device) -> Resident:
    """Move stored rows to the device."""
    out = Resident()
    for side, store in stores.items():
        setattr(out, side, torch.from_numpy(store.rows.copy()).to(device))
        if store.offsets is not None:
            out.offsets = torch.from_numpy(store.offsets.copy()).to(device)
    return out


def combining_order(parts: Mapping[str, Sequence[str]]) -> list[str]:
    """Names of combining teachers, each after those it is made of. Raises ValueError on a cycle."""
    order: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"teachers are made of each other: {' → '.join((*above, name))}")
        if name in parts and name not in order:
            for part in parts[name]:
                visit(part, (*above, name))
            order.append(name)

    for name in parts:
        visit(name, ())
    return order
