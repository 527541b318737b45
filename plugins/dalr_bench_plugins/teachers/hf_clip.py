"""An image-text teacher through transformers: CLIP and SigLIP.

Source: transformers 5, `get_text_features` and `get_image_features` of CLIPModel and SiglipModel.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field

from dalr_bench import hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.networks.requirements import model_requirement

if TYPE_CHECKING:
    from PIL import Image

    from dalr_bench_plugins.networks.hf_clip import DualEncoder


class HFClip:
    """Both towers of a Hugging Face CLIP or SigLIP, frozen: text [N, T] and pictures [N, E] in one space, float32.

    `model` is a hub id or a folder. Rows are the projected ones, unscaled, `batch` at a time. Sentences are padded as
    the family was trained: CLIP to the longest of a batch with a mask, SigLIP to its full length without one.
    `max_length` is the model's own unless given. `normalize` scales rows to unit length. Both sides share one copy of
    the weights; `fingerprint` hashes them.

    `revision` is a commit, tag or branch of a hub id (left out: its newest); `trust_remote_code` runs code that stands
    beside the weights, which nothing here needs.

    Raises DataError where weights are missing, cut, or a pickle without `allow_pickle: true` (then read
    weights_only), and for a model that has not two towers.
    """

    requires = staticmethod(model_requirement)

    def __init__(
        self,
        model: str,
        max_length: Annotated[int, Field(ge=3)] | None = None,
        batch: Annotated[int, Field(ge=1)] = 64,
        normalize: bool = False,
        revision: str | None = None,
        trust_remote_code: bool = False,
        allow_pickle: bool = False,
        *,
        device: Any = "cpu",
    ) -> None:
        from dalr_bench_plugins.networks.pretrained import Checkpoint, rows_fingerprint

        self.checkpoint = Checkpoint(model, revision, trust_remote_code, allow_pickle)
        self.max_length, self.batch, self.normalize, self.device = max_length, batch, normalize, device
        parts = (rows_fingerprint(self.checkpoint), max_length, normalize)
        self.fingerprint = hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()
        self._opened: DualEncoder | None = None

    def encode_text(self, sentences: list[str]) -> torch.Tensor:
        """Text tower's rows in order, [N, T]."""
        from dalr_bench_plugins.networks.frozen import in_batches

        model = self._model()
        return self._scaled(in_batches(sentences, self.batch, lambda some: model.text(some, self.max_length)))

    def encode_image(self, images: list[Image.Image]) -> torch.Tensor:
        """Image tower's rows in order, [N, E]."""
        from dalr_bench_plugins.networks.frozen import in_batches

        return self._scaled(in_batches(images, self.batch, self._model().image))

    def _scaled(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(rows, dim=-1) if self.normalize else rows

    def _model(self) -> DualEncoder:
        from dalr_bench_plugins.networks.hf_clip import open_dual_encoder
        from dalr_bench_plugins.networks.sharing import shared

        if self._opened is None:
            key = ("hf_clip", self.checkpoint, str(self.device))
            self._opened = shared(key, lambda: open_dual_encoder(self.checkpoint, self.device))
        return self._opened


@hookimpl
def register_teachers(register: Register) -> None:
    register("hf_clip", HFClip)
