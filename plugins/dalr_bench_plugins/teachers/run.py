"""A teacher that is another run of the grid.

Source: this project's own; it stands where the papers download SimCSE, DiffCSE and CLIP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from dalr_bench import OpenRun, SuiteError, VariantName, hookimpl
from dalr_bench.plugin.spec import Register

if TYPE_CHECKING:
    from PIL import Image


class TrainedRunTeacher:
    """A finished, frozen run of the same suite as a teacher, which makes the grid a graph.

    `variant` names the run's variant; `seed` its seed (left out: the seed of the run that asks). `space` names a loss
    of that run that owns a joint text-image space; rows are then taken in that space, and pictures can be asked for.
    `fingerprint` is the trained run's own, with the space. Raises SuiteError for pictures without a `space`.
    """

    def __init__(
        self, variant: VariantName, seed: int | None = None, space: str | None = None, *, trained: OpenRun
    ) -> None:
        self.space = space
        self.run = trained(variant, seed)
        self.fingerprint = f"{self.run.fingerprint}|{space}"

    def encode_text(self, sentences: list[str]) -> torch.Tensor:
        """The run's rows, [N, T]: as its evaluation sees them, or in its joint space."""
        return self.run.encode_text(sentences, self.space)

    def encode_states(self, sentences: list[str]) -> list[torch.Tensor]:
        """Token states of the run's last layer, one [L, T] a sentence, special tokens included."""
        return self.run.encode_states(sentences)

    def encode_image(self, images: list[Image.Image]) -> torch.Tensor:
        """Pictures in the joint space, [N, E]."""
        if self.space is None:
            raise SuiteError("a run sees pictures only in a joint space: name one of its losses in `space`")
        return self.run.encode_image(images, self.space)


@hookimpl
def register_teachers(register: Register) -> None:
    register("run", TrainedRunTeacher)
