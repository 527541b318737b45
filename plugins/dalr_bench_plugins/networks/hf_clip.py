"""Opening a two-tower model of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from dalr_bench import DataError, Fault
from dalr_bench_plugins.networks.pretrained import Checkpoint, check_words, explained, quiet


class DualEncoder:
    """CLIP or SigLIP with its tokenizer and picture processor, in eval mode on a device."""

    def __init__(self, model: Any, tokenizer: Any, processor: Any, device: Any) -> None:
        self.model = model.to(device).eval().requires_grad_(False)
        self.tokenizer, self.processor, self.device = tokenizer, processor, device
        # SigLIP reads the last position of sentences padded to the full length: padding is part of its input.
        self.padded = "siglip" in str(model.config.model_type)

    def text(self, sentences: Sequence[str], max_length: int | None) -> torch.Tensor:
        """[N, T], on the device."""
        tokens = self.tokenizer(
            list(sentences),
            padding="max_length" if self.padded else True,
            truncation=True,
            max_length=max_length or int(self.model.config.text_config.max_position_embeddings),
            return_tensors="pt",
        ).to(self.device)
        mask = None if self.padded else tokens["attention_mask"]
        return _pooled(self.model.get_text_features(input_ids=tokens["input_ids"], attention_mask=mask))

    def image(self, images: Sequence[Any]) -> torch.Tensor:
        """[N, E], on the device."""
        pixels = self.processor(images=list(images), return_tensors="pt")["pixel_values"]
        return _pooled(self.model.get_image_features(pixel_values=pixels.to(self.device)))


def _pooled(features: Any) -> torch.Tensor:
    """transformers 5 wraps features in an output object; its `pooler_output` is the projected row."""
    rows: torch.Tensor = features if isinstance(features, torch.Tensor) else features.pooler_output
    return rows


def open_dual_encoder(checkpoint: Checkpoint, device: Any) -> DualEncoder:
    """fp32 weights, tokenizer and picture processor. Raises DataError with what is missing."""
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    named: dict[str, Any] = {"revision": checkpoint.revision, "trust_remote_code": checkpoint.trust_remote_code}
    with explained(checkpoint), quiet():
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.model, **named)
        processor = AutoImageProcessor.from_pretrained(checkpoint.model, **named)
        safe = None if checkpoint.allow_pickle else True
        model = AutoModel.from_pretrained(checkpoint.model, dtype=torch.float32, use_safetensors=safe, **named)
    if not hasattr(model, "get_text_features") or not hasattr(model, "get_image_features"):
        what = f"a {model.config.model_type} model has not two towers, a text and an image one"
        raise DataError(Fault(what, file=checkpoint.model))
    check_words(checkpoint, tokenizer)
    return DualEncoder(model, tokenizer, processor, device)
