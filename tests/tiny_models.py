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
