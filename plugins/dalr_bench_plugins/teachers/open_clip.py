"""An image-text teacher through open_clip.

Source: mlfoundations/open_clip@89fb801; KDMCSE and DALR read ViT-L/14 (duyngtr16061999/KDMCSE@33270bc:preprocess.py).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field

from dalr_bench import DataPath, SuiteError, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.networks.requirements import open_clip_requirements

if TYPE_CHECKING:
    from PIL import Image

    from dalr_bench_plugins.networks.clip import ClipModel


class OpenClip:
    """Both towers of an open_clip model, frozen: text [N, T] and pictures [N, E] in one space, float32, unscaled.

    `model`: any name of open_clip (ViT-B-32, ViT-L-14, ViT-B-16-SigLIP, ...), `local-dir:FOLDER` or `hf-hub:ORG/NAME`.
    `pretrained` is a tag of that model, `weights` a local file instead; without either, random weights drawn from
    `seed`: a control, and what a test runs on. OpenAI's weights in a file want a `-quickgelu` model; a tag knows.
    `config` is a JSON file with an architecture open_clip does not know, used under the file's name. Sentences are cut
    at the model's own context. `batch` rows are asked at a time; `normalize` scales them to unit length. Both sides
    share one copy of the weights.

    Raises DataError where weights are missing, cut, or a pickle without `allow_pickle: true` (then read weights_only),
    and SuiteError for a tag and a file at once.
    """

    requires = staticmethod(open_clip_requirements)

    def __init__(
        self,
        model: str,
        pretrained: str | None = None,
        weights: DataPath | None = None,
        config: DataPath | None = None,
        batch: Annotated[int, Field(ge=1)] = 64,
        normalize: bool = False,
        allow_pickle: bool = False,
        seed: int = 0,
        *,
        device: Any = "cpu",
    ) -> None:
        from dalr_bench_plugins.networks.clip import ClipWeights, clip_fingerprint

        if pretrained is not None and weights is not None:
            raise SuiteError("give `pretrained` (a tag) or `weights` (a file), not both")
        self.weights = ClipWeights(model, weights or pretrained, config, allow_pickle, seed)
        self.batch, self.normalize, self.device = batch, normalize, device
        parts = f"{model}|{clip_fingerprint(self.weights)}|{normalize}"
        self.fingerprint = hashlib.sha256(parts.encode()).hexdigest()
        self._opened: ClipModel | None = None

    def encode_text(self, sentences: list[str]) -> torch.Tensor:
        """Text tower's rows in order, [N, T]."""
        from dalr_bench_plugins.networks.frozen import in_batches

        return self._scaled(in_batches(sentences, self.batch, self._model().text))

    def encode_image(self, images: list[Image.Image]) -> torch.Tensor:
        """Image tower's rows in order, [N, E]."""
        from dalr_bench_plugins.networks.frozen import in_batches

        return self._scaled(in_batches(images, self.batch, self._model().image))

    def _scaled(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(rows, dim=-1) if self.normalize else rows

    def _model(self) -> ClipModel:
        from dalr_bench_plugins.networks.clip import open_clip_model
        from dalr_bench_plugins.networks.sharing import shared

        if self._opened is None:
            key = ("open_clip", self.weights, str(self.device))
            self._opened = shared(key, lambda: open_clip_model(self.weights, self.device))
        return self._opened


@hookimpl
def register_teachers(register: Register) -> None:
    register("open_clip", OpenClip)
