"""Real architectures with random weights, small enough to write in a test: folders as the hub has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dalr_bench_plugins.networks.vocabulary import closed_vocabulary

WORDS = ["a", "the", "dog", "cat", "runs", "sleeps", "on", "grass", "red", "ball", "two", "big", "small", "sees"]
SENTENCES = [
    "a dog runs",
    "the big red ball",
    "two cat",
    "the small dog sees the big cat on the red grass",
    "ball",
    "a cat sleeps on the grass",
    "two dog",
]


def text_config(family: str, size: int) -> Any:
    """A two-layer configuration of a family, 32 wide."""
    import transformers

    common: dict[str, Any] = {"vocab_size": size, "pad_token_id": 0}
    usual = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    if family == "DistilBert":
        shape: dict[str, Any] = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    elif family == "ModernBert":
        ends = {"bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3}
        shape = {**usual, **ends, "global_attn_every_n_layers": 2}
    else:
        shape = {**usual, "max_position_embeddings": 40}
    return getattr(transformers, f"{family}Config")(**common, **shape)


def text_folder(folder: Path, family: str = "Bert", seed: int = 0) -> Path:
    """A model of that family with random weights and a word-level tokenizer, saved in safetensors."""
    from transformers import AutoModel

    tokenizer = closed_vocabulary(WORDS)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModel.from_config(text_config(family, len(tokenizer)))
    for name, weights in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(weights, std=0.1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class Payload:
    """What a malicious pickle does when opened: it writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (_touch, (str(self.target),))


def _touch(target: str) -> dict[str, Any]:
    Path(target).write_text("the pickle ran")
    return {}


def malicious_pickle(path: Path, mark: Path) -> None:
    """A weights file that runs code when unpickled without care: `mark` appears if it did."""
    torch.save({"weight": Payload(mark)}, path)


def clip_folder(folder: Path, family: str) -> Path:
    """CLIP or SigLIP of transformers with random weights for 16-pixel pictures, its tokenizer and picture processor."""
    import transformers

    tokenizer = closed_vocabulary(WORDS)
    ends = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    tower = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    text = {**tower, **ends, "vocab_size": len(tokenizer), "max_position_embeddings": 16}
    vision = {**tower, "image_size": 16, "patch_size": 8}
    common = {"CLIP": {"projection_dim": 24}, "Siglip": {}}[family]
    config = getattr(transformers, f"{family}Config")(text_config=text, vision_config=vision, **common)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        getattr(transformers, f"{family}Model")(config).save_pretrained(folder)
    tokenizer.model_max_length = 16
    tokenizer.save_pretrained(folder)
    size: dict[str, Any] = {"size": {"height": 16, "width": 16}}
    if family == "CLIP":
        size = {"size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}}
    getattr(transformers, f"{family}ImageProcessor")(**size).save_pretrained(folder)
    return folder


def open_clip_config(folder: Path, name: str = "tiny-clip") -> Path:
    """A file with an architecture of open_clip's own form: two layers, 16-pixel patches, open_clip's own vocabulary."""
    import json

    vision = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16}
    text = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"embed_dim": 20, "vision_cfg": vision, "text_cfg": text}))
    return path
