"""One mathematics: a step of the engine against the papers' own loop with live teachers, loss and all gradients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer

from dalr_bench.plugin.manager import load
from dalr_bench.racing import ours
from dalr_bench.racing.setting import Setting, Wish
from dalr_bench.train.engine import Engine, Watch
from dalr_bench_plugins.rivals import papers, track

WORDS = [f"w{number}" for number in range(40)]


def made(folder: Path, dropout: float, steps: int, **wish: Any) -> Setting:
    """Sentences of 1 to 14 words; a random encoder of three layers, its dropout set in its config."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 15, (64,), generator=generator).tolist()
    texts = [" ".join(WORDS[k] for k in torch.randint(40, (n,), generator=generator).tolist()) for n in lengths]
    wished = Wish(shape=(3, 32, 2, 64), batch=16, max_length=12, **wish)
    (folder / "sentences.json").write_text(json.dumps(texts))
    plan = ours.schedule(wished, len(texts), steps)
    batches = [plan.at(step)[1].tolist() for step in range(steps)]
    found = track.prepare(wished, texts, folder)
    for path in folder.glob("*/config.json"):
        config = json.loads(path.read_text())
        config |= {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
        path.write_text(json.dumps(config))
    return Setting(wished, sentences=str(folder / "sentences.json"), batches=batches, **found)


def engine(setting: Setting) -> Engine:
    return ours.engine(setting, torch.device("cpu"), load(frozenset({"backbone", "loss"})).catalogue)


def plain_batch(setting: Setting, step: int) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(setting.model)
    texts = setting.texts()
    rows = [texts[row] for row in setting.batches[step]]
    found = tokenizer(rows, max_length=setting.wish.max_length, truncation=True, padding=True, return_tensors="pt")
    return {name: found[name].repeat(2, 1) for name in ("input_ids", "attention_mask")}


def plain_loss(setting: Setting, model: Any, teachers: list[Any], step: int) -> torch.Tensor:
    batch = plain_batch(setting, step)
    rows = papers._pooled(model(**batch), batch["attention_mask"], setting.wish.pooling)
    with torch.no_grad():
        asked = [papers._pooled(one(**batch), batch["attention_mask"], setting.wish.pooling) for one in teachers]
    return papers.objective(rows, asked, setting.wish.temperature)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_loss_and_all_gradients_equal_the_plain_padded_step_with_live_teachers(tmp_path: Path, pooling: str) -> None:
    setting = made(tmp_path, dropout=0.0, steps=2, teachers=2, pooling=pooling)
    assert AutoConfig.from_pretrained(setting.model).hidden_dropout_prob == 0
    mine = engine(setting)
    model = AutoModel.from_pretrained(setting.model).train()
    teachers = [AutoModel.from_pretrained(folder).eval() for folder in setting.teachers]
    for step in range(2):
        loss, terms = mine.forward(step)
        assert {"contrast", "teacher0", "teacher1"} <= terms.keys()
        theirs = plain_loss(setting, model, teachers, step)
        assert loss.item() == pytest.approx(theirs.item(), abs=1e-5)
        mine.student.zero_grad()
        model.zero_grad()
        loss.backward()
        theirs.backward()
        own = dict(mine.student.encoder.named_parameters())
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                torch.testing.assert_close(own[name].grad, parameter.grad, rtol=0, atol=1e-5, msg=name)
        assert sum(p.grad is not None for p in own.values()) == sum(p.grad is not None for p in model.parameters())


def curves(setting: Setting) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses by step: ours, and the plain loop's with torch's own dropout and optimizer."""
    seen: list[float] = []
    engine(setting).train(Watch(lambda step, steps, values: seen.append(values["loss"])))
    model = AutoModel.from_pretrained(setting.model).train()
    adam = torch.optim.AdamW(model.parameters(), lr=3e-5, weight_decay=0.0)
    steps, losses = len(setting.batches), []
    torch.manual_seed(1)
    for step in range(steps):
        adam.param_groups[0]["lr"] = 3e-5 * (steps - step) / steps
        loss = plain_loss(setting, model, [], step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        adam.zero_grad()
        losses.append(loss.item())
    return torch.tensor(seen), torch.tensor(losses)


def agree(mine: torch.Tensor, theirs: torch.Tensor) -> None:
    """Same batches, other draws of dropout: the mean of the paired differences is within four of its standard errors."""
    difference = mine - theirs
    assert difference.mean().abs() < 4 * difference.std() / len(difference) ** 0.5 + 1e-4
    assert difference.std() > 1e-4, "the draws of dropout are others"
    assert 0.5 < mine.std() / theirs.std() < 2


def test_curves_agree_in_distribution(tmp_path: Path) -> None:
    agree(*curves(made(tmp_path, dropout=0.1, steps=40)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_two_hundred_steps_agree_in_distribution(tmp_path: Path, pooling: str, seed: int) -> None:
    agree(*curves(made(tmp_path, dropout=0.1, steps=200, pooling=pooling, seed=seed)))
