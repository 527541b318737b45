"""The frozen teachers of a run: each asked once per corpus, then only gathered from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from dalr_bench.data.features import FeatureStore
from dalr_bench.data.placing import Paged, placed
from dalr_bench.data.shards import Numbers
from dalr_bench.types import Side, TeacherRows


@dataclass(frozen=True)
class Chosen:
    """Rows of a batch by number, as the device has them; `host` the same numbers, where rows are gathered there."""

    rows_N: torch.Tensor
    images_N: torch.Tensor | None
    host: Numbers
    host_images: Numbers | None

    @classmethod
    def of(cls, rows_N: torch.Tensor, images_N: torch.Tensor | None) -> Chosen:
        """Of numbers on the device alone; asks the device for them, so not inside a step."""
        images = None if images_N is None else images_N.cpu().numpy()
        return cls(rows_N, images_N, rows_N.cpu().numpy(), images)


@dataclass
class Resident:
    """Stored rows of one teacher by side, on the device or paged from their files."""

    text: torch.Tensor | Paged | None = None
    image: torch.Tensor | Paged | None = None
    states: torch.Tensor | Paged | None = None
    offsets: torch.Tensor | None = None
    host_offsets: Numbers | None = None

    def gather(self, chosen: Chosen) -> TeacherRows:
        """Rows of a batch in single precision; pictures are gathered by each sentence's picture."""
        states, mask = self._states(chosen)
        image = None
        if self.image is not None and chosen.images_N is not None and chosen.host_images is not None:
            image = _rows(self.image, chosen.images_N, chosen.host_images)
        text = None if self.text is None else _rows(self.text, chosen.rows_N, chosen.host)
        return TeacherRows(text, image, None, states, mask)

    def _states(self, chosen: Chosen) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        if self.states is None or self.offsets is None:
            return None, None
        start_N = self.offsets[chosen.rows_N]
        length_N = self.offsets[chosen.rows_N + 1] - start_N
        position_L = torch.arange(self._longest, device=chosen.rows_N.device)
        mask_NL = position_L < length_N[:, None]
        if isinstance(self.states, Paged):
            states_NLT = self._paged_states(self.states, chosen.host)
        else:
            index_NL = (start_N[:, None] + position_L).clamp_(max=len(self.states) - 1)
            states_NLT = _single(self.states[index_NL])
        return states_NLT * mask_NL[..., None], mask_NL

    def _paged_states(self, states: Paged, rows: Numbers) -> torch.Tensor:
        assert self.host_offsets is not None
        index_NL = self.host_offsets[rows][:, None] + np.arange(self._longest)
        flat = states.rows(np.minimum(index_NL, len(states.table) - 1).reshape(-1))
        return _single(flat).view(len(rows), self._longest, -1)

    @property
    def _longest(self) -> int:
        # One width for every batch: no question to the device in the step.
        if self._width is None:
            assert self.offsets is not None
            self._width = int(self.offsets.diff().max())
        return self._width

    _width: int | None = field(default=None, repr=False)


def _rows(stored: torch.Tensor | Paged, numbers_N: torch.Tensor, host: Numbers) -> torch.Tensor:
    return _single(stored.rows(host) if isinstance(stored, Paged) else stored[numbers_N])


def _single(rows: torch.Tensor) -> torch.Tensor:
    return rows.float() if rows.dtype == torch.float16 else rows


@dataclass
class TeacherBank:
    """All teachers of one stream. `combined` are teachers made of others' rows, in an order in which parts come first."""

    stored: Mapping[str, Resident]
    combined: Mapping[str, Any]

    def gather(
        self, rows_N: torch.Tensor, images_N: torch.Tensor | None, host: tuple[Numbers, Numbers | None] | None = None
    ) -> dict[str, TeacherRows]:
        """Every teacher's rows for a batch, detached by construction. A step gives the numbers the `host` knows as well."""
        chosen = Chosen.of(rows_N, images_N) if host is None else Chosen(rows_N, images_N, *host)
        out = {name: resident.gather(chosen) for name, resident in self.stored.items()}
        for name, teacher in self.combined.items():
            with torch.no_grad():
                out[name] = teacher.combine([out[part] for part in teacher.of])
        return out


def resident(stores: Mapping[Side, FeatureStore], device: torch.device) -> Resident:
    """Stored rows where a run reads them: on the device where they fit (`placing`), else in their files."""
    out = Resident()
    for side, store in stores.items():
        setattr(out, side, placed(store.rows, device))
        if store.offsets is not None:
            out.host_offsets = store.offsets
            out.offsets = torch.from_numpy(store.offsets).to(device)
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
