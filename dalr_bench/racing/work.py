"""How much arithmetic a step needs, and how fast this machine multiplies matrices: what MFU is measured by."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from statistics import median

import torch

from dalr_bench.racing.setting import Setting

RATE = "matmul"
_VIEWS = 2


@dataclass(frozen=True)
class Work:
    """FLOP of one step, mean over the batches: what is `needed` (real tokens only; with `cls` pooling the last layer for
    first tokens alone) and what the `padded` batch takes through all layers. `length` is the mean number of tokens,
    `cut` the share of sentences that reach the cap, `padded_length` the mean width of a batch.
    """

    needed: float
    padded: float
    length: float
    padded_length: float
    cut: float
    tokens: int
    width: int
    inner: int


def needed(setting: Setting) -> Work:
    """Linear layers, 6 FLOP a weight and token for forward and backward, and attention's two products.

    Embeddings, norms, the loss and the optimizer count nothing. Raises what transformers raises for a broken folder.
    """
    from transformers import AutoConfig, AutoTokenizer

    config = AutoConfig.from_pretrained(setting.model)
    inner = getattr(config, "intermediate_size", None) or config.hidden_dim
    layers, width = config.num_hidden_layers, config.hidden_size
    texts, cap = setting.texts(), setting.wish.max_length
    tokenizer = AutoTokenizer.from_pretrained(setting.model)
    batches = [tokenizer([texts[row] for row in batch], max_length=cap, truncation=True) for batch in setting.batches]
    lengths = [[len(ids) for ids in batch["input_ids"]] for batch in batches]
    weights = 4 * width * width + 2 * width * inner
    real = padded = 0.0
    for batch in lengths:
        rows, tokens, wide = len(batch), sum(batch), max(batch)
        attention = 12 * width * sum(n * n for n in batch)
        last = 6 * weights * rows if setting.wish.pooling == "cls" else 6 * weights * tokens + attention
        real += _VIEWS * ((layers - 1) * (6 * weights * tokens + attention) + last)
        padded += _VIEWS * layers * (6 * weights * rows * wide + 12 * width * rows * wide * wide)
    flat = [n for batch in lengths for n in batch]
    return Work(
        needed=real / len(lengths),
        padded=padded / len(lengths),
        length=sum(flat) / len(flat),
        padded_length=sum(map(max, lengths)) / len(lengths),
        cut=sum(n >= cap for n in flat) / len(flat),
        tokens=_VIEWS * sum(flat) // len(lengths),
        width=width,
        inner=inner,
    )


def matmul_rate(work: Work, precision: str, device: torch.device) -> float:
    """FLOP a second of products of a step's tokens with a feed-forward matrix, both ways; on a CPU a CPU second."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    rows, wide = work.tokens, work.inner
    left, right = torch.randn(rows, work.width, device=device), torch.randn(work.width, wide, device=device)
    left, right = left.to(dtype), right.to(dtype)
    middle = torch.empty(rows, wide, dtype=dtype, device=device)
    back = torch.empty_like(left)
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    seconds = []
    for _ in islice(iter(int, 1), 5):
        start = clock()
        torch.mm(left, right, out=middle)
        torch.mm(middle, right.T, out=back)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(clock() - start)
    return 4 * rows * work.width * wide / median(seconds)
