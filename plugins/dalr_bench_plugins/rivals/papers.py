"""The loop of the papers' own training scripts: tokenised in the collator, padded to the longest, teachers asked live.

As uds-lsv/MCSE@3031426 src/train_mix.py and DALR's src/model_modified.py:669-702: one forward of the repeated batch,
AdamW as it comes with biases and norms apart, clipping, a linear rate; frozen teachers see the repeated batch too. The
data loader, the head-less student and the order of batches are those of the other sides.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from dalr_bench.racing.gate import Gate
from dalr_bench.racing.setting import Setting

_LR, _CLIP, _NO_DECAY = 3e-5, 1.0, ("bias", "LayerNorm.weight")


def run(setting: Setting, gate: Gate) -> None:
    """A step each time the gate opens."""
    from transformers import AutoModel, AutoTokenizer, get_linear_schedule_with_warmup

    wish, device = setting.wish, gate.device
    tokenizer = AutoTokenizer.from_pretrained(setting.model)
    model = AutoModel.from_pretrained(setting.model, dtype=torch.float32).to(device).train()
    teachers = [AutoModel.from_pretrained(folder, dtype=torch.float32).to(device).eval() for folder in setting.teachers]
    named = list(model.named_parameters())
    groups = [
        {"params": [p for name, p in named if not any(part in name for part in _NO_DECAY)], "weight_decay": 0.0},
        {"params": [p for name, p in named if any(part in name for part in _NO_DECAY)], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW(groups, lr=_LR)
    rate = get_linear_schedule_with_warmup(adam, 0, len(setting.batches))
    precision = torch.autocast(device.type, torch.bfloat16, enabled=wish.their_precision == "bf16")

    def collate(texts: list[str]) -> Any:
        found = tokenizer(texts, max_length=wish.max_length, truncation=True, padding=True, return_tensors="pt")
        return {name: found[name].repeat(2, 1) for name in ("input_ids", "attention_mask")}

    order: Any = [list(batch) for batch in setting.batches]
    loader: Any = DataLoader(setting.texts(), batch_sampler=order, collate_fn=collate)  # type: ignore[arg-type]
    batches, loss = iter(loader), None
    while True:
        gate.next(loss)
        batch = {name: part.to(device) for name, part in next(batches).items()}
        gate.lap("tokenise")
        with precision:
            rows = _pooled(model(**batch), batch["attention_mask"], wish.pooling)
            with torch.no_grad():
                asked = [_pooled(one(**batch), batch["attention_mask"], wish.pooling) for one in teachers]
            loss = objective(rows, asked, wish.temperature)
        gate.lap("forward")
        loss.backward()
        gate.lap("backward")
        torch.nn.utils.clip_grad_norm_(model.parameters(), _CLIP)
        adam.step()
        rate.step()
        model.zero_grad()
        gate.lap("clip+optimizer")
        loss = loss.detach()


def _pooled(output: Any, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    states: torch.Tensor = output.last_hidden_state
    if pooling == "cls":
        return states[:, 0]
    return (states * mask.unsqueeze(-1)).sum(1) / mask.sum(-1).unsqueeze(-1)


def objective(rows: torch.Tensor, asked: list[torch.Tensor], temperature: float) -> torch.Tensor:
    """SimCSE's contrast of the two halves of `rows`, and a ListNet term for each teacher (the first half's rows)."""
    one, two = rows.chunk(2)
    cosines = F.cosine_similarity(one.unsqueeze(1), two.unsqueeze(0), dim=-1)
    loss = F.cross_entropy(cosines / temperature, torch.arange(len(one), device=rows.device))
    for teacher in asked:
        half = teacher.chunk(2)[0]
        theirs = F.cosine_similarity(half.unsqueeze(1), half.unsqueeze(0), dim=-1)
        off = ~torch.eye(len(one), dtype=torch.bool, device=rows.device)
        target = (theirs[off].view(len(one), -1) / 0.05).softmax(1)
        loss = loss - (target * (cosines[off].view(len(one), -1) / 0.05).log_softmax(1)).sum(1).mean()
    return loss
