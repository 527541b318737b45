"""What all sides of `bench train` share: one model folder, one contrastive loss, teachers of one form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from dalr_bench.racing.setting import Wish
from dalr_bench_plugins.backbones.hf import hf
from dalr_bench_plugins.networks.encoder import SentenceEncoder
from dalr_bench_plugins.networks.pooling import Pooling

_POOLING: Mapping[str, Pooling] = {"cls": "cls_before_pooler", "mean": "mean"}
_RIVALS = {"papers' loop": "dalr_bench_plugins.rivals.papers"}
_LIBRARY = {"sentence-transformers": "dalr_bench_plugins.rivals.library"}


def prepare(wish: Wish, sentences: Sequence[str], target: Path) -> Mapping[str, Any]:
    """Write the student's folder, and the teachers'; name the components of our side and the rivals' modules.

    sentence-transformers has no live teacher beside its contrastive loss, so it runs where there is none.
    """
    torch.manual_seed(wish.seed)
    student = _opened(wish, wish.model, wish.shape, sentences, target)
    student.save(str(target / "student"))
    if wish.teachers:
        teacher = student if wish.teacher is None else _opened(wish, wish.teacher, None, sentences, target)
        teacher.save(str(target / "teacher"))
    options = {"model": str(target / "student"), "pooling": _POOLING[wish.pooling], "head": "none"}
    names = [f"teacher{number}" for number in range(wish.teachers)]
    losses = {"contrast": {"name": "infonce", "options": {"temperature": wish.temperature}}}
    losses |= {name: {"name": "listnet", "options": {"teacher": name}} for name in names}
    return {
        "model": options["model"],
        "student": {"name": "hf", "options": {**options, "max_length": wish.max_length}},
        "losses": losses,
        "teachers": [str(target / "teacher")] * wish.teachers,
        "rivals": _RIVALS if wish.teachers else {**_RIVALS, **_LIBRARY},
    }


def _opened(
    wish: Wish, model: str | None, shape: tuple[int, int, int, int] | None, sentences: Sequence[str], target: Path
) -> SentenceEncoder:
    """The model, or a random one of that shape with its tokenizer; without a model a small one from scratch."""
    common: dict[str, Any] = {"pooling": _POOLING[wish.pooling], "head": "none", "max_length": wish.max_length}
    if model is None:
        if shape is not None:
            layers, hidden, heads, inner = shape
            common |= {"layers": layers, "hidden": hidden, "heads": heads, "feed_forward": inner}
        return hf(**common, attention_dropout=0.1, sentences=sentences)
    found = hf(model=model, **common)
    if shape is None:
        return found
    from transformers import AutoModel

    config = found.encoder.config
    config.num_hidden_layers, config.hidden_size, config.num_attention_heads, config.intermediate_size = shape
    AutoModel.from_config(config).save_pretrained(target / "random")
    found.tokenizer.inner.save_pretrained(target / "random")
    return hf(model=str(target / "random"), **common)
