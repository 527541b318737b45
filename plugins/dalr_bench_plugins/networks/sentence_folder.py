"""A model folder in sentence-transformers' own form: stock modules and safetensors only, so it loads without our code.

The forms are those of sentence-transformers 6 and readable since 2: `modules.json`, `sentence_bert_config.json`,
`1_Pooling/config.json`; layers are averaged by `WeightedLayerPooling`, a head is a `Dense`, unit length is `Normalize`.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from dalr_bench_plugins.networks.pooling import MEAN_OF_LAYERS, Pooling, needs_all_layers
from dalr_bench_plugins.networks.pretrained import quiet

_MODULES = "sentence_transformers.models"


@dataclass(frozen=True)
class SentenceModel:
    """What is saved: a transformers encoder and tokenizer, how rows are pooled, then dense layers (tanh) in order."""

    encoder: Any
    tokenizer: Any
    pooling: Pooling
    max_length: int
    dense: tuple[torch.nn.Linear, ...] = field(default=())
    normalize: bool = False


def save_sentence_folder(model: SentenceModel, folder: str) -> None:
    """Write the whole folder beside its place, then move it there: a reader never sees half of it."""
    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _write(model, temporary)
        for path in temporary.rglob("*"):
            if path.is_file():
                with path.open("rb") as handle:
                    os.fsync(handle.fileno())
        temporary.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(model: SentenceModel, folder: Path) -> None:
    modules: list[dict[str, Any]] = []

    def add(kind: str, config: Mapping[str, Any] | None, weights: Mapping[str, torch.Tensor] | None = None) -> None:
        number = len(modules)
        path = f"{number}_{kind}" if number else ""
        modules.append({"idx": number, "name": str(number), "path": path, "type": f"{_MODULES}.{kind}"})
        (folder / path).mkdir(exist_ok=True)
        if config is not None:
            _json(folder / path / ("config.json" if number else "sentence_bert_config.json"), config)
        if weights is not None:
            _safetensors(folder / path / "model.safetensors", weights)

    width = int(model.encoder.config.hidden_size)
    _save_encoder(model, folder)
    add("Transformer", {"max_seq_length": model.max_length, "do_lower_case": False})
    if needs_all_layers(model.pooling):
        add("WeightedLayerPooling", *_layer_mean(model, width))
    by_token = model.pooling in ("cls", "cls_before_pooler")
    modes = {"pooling_mode_cls_token": by_token, "pooling_mode_mean_tokens": not by_token}
    add("Pooling", {"word_embedding_dimension": width, **modes})
    for layer in model.dense:
        add("Dense", _dense_config(layer), {"linear.weight": layer.weight, "linear.bias": layer.bias})
    if model.normalize:
        add("Normalize", None)
    _json(folder / "modules.json", modules)
    _json(folder / "config_sentence_transformers.json", _versions())


def _save_encoder(model: SentenceModel, folder: Path) -> None:
    config = model.encoder.config
    before = config.output_hidden_states
    config.output_hidden_states = needs_all_layers(model.pooling)
    try:
        with quiet():
            model.encoder.save_pretrained(folder)
            # The last call's truncation stands in its state: the file must not tell whether ids came from a cache.
            model.tokenizer.backend_tokenizer.no_truncation()
            model.tokenizer.backend_tokenizer.no_padding()
            model.tokenizer.save_pretrained(folder)
    finally:
        config.output_hidden_states = before


def _layer_mean(model: SentenceModel, width: int) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    count = int(model.encoder.config.num_hidden_layers)
    weights = torch.zeros(count + 1)
    for layer in MEAN_OF_LAYERS[model.pooling]:
        weights[layer] += 1.0
    return {"word_embedding_dimension": width, "layer_start": 0, "num_hidden_layers": count}, {"layer_weights": weights}


def _dense_config(layer: torch.nn.Linear) -> dict[str, Any]:
    return {
        "in_features": layer.in_features,
        "out_features": layer.out_features,
        "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh",
    }


def _versions() -> dict[str, Any]:
    from importlib.metadata import version

    names = {"sentence_transformers": "sentence-transformers", "transformers": "transformers", "pytorch": "torch"}
    known = {key: version(name) for key, name in names.items()}
    return {"__version__": known, "prompts": {}, "default_prompt_name": None, "similarity_fn_name": "cosine"}


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _safetensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)
