"""A teacher's stored rows of a batch, detached: the one door through which losses read teachers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dalr_bench import TeacherRows, TrainingError

if TYPE_CHECKING:
    from torch import Tensor


def text_rows(rows: TeacherRows, teacher: str) -> Tensor:
    """Its caption rows [N, T]. Raises TrainingError where it has none (a blend of similarities has no vectors)."""
    if rows.text_NT is None:
        raise TrainingError(f"teacher '{teacher}' has no text rows here, only similarities or another side")
    return rows.text_NT.detach()


def image_rows(rows: TeacherRows, teacher: str) -> Tensor:
    """Its image rows [N, E], one per sentence. Raises TrainingError where it has none (a batch without pictures)."""
    if rows.image_NE is None:
        raise TrainingError(
            f"teacher '{teacher}' has no image rows here: is this loss active on a stream without pictures?"
        )
    return rows.image_NE.detach()


def token_states(rows: TeacherRows, teacher: str) -> tuple[Tensor, Tensor]:
    """Its token states [N, L, T] and their mask [N, L]. Raises TrainingError where it has none."""
    if rows.states_NLT is None or rows.states_mask_NL is None:
        raise TrainingError(f"teacher '{teacher}' has no token states here")
    return rows.states_NLT.detach(), rows.states_mask_NL.detach()
