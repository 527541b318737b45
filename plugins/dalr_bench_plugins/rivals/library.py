"""sentence-transformers' own trainer: MultipleNegativesRankingLoss on (s, s), its defaults, the order of batches given."""

from __future__ import annotations

import warnings
from typing import Any

from torch.utils.data import BatchSampler

from dalr_bench.racing.gate import Gate
from dalr_bench.racing.setting import Setting


def run(setting: Setting, gate: Gate) -> None:
    """A step of the trainer each time the gate opens."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.losses import MultipleNegativesRankingLoss

    wish, texts = setting.wish, setting.texts()
    model = SentenceTransformer(setting.model, device=str(gate.device), model_kwargs={"dtype": "float32"})
    model.max_seq_length = wish.max_length
    rows = [texts[row] for batch in setting.batches for row in batch]

    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(setting.model) + "-out",
        per_device_train_batch_size=wish.batch,
        max_steps=len(setting.batches),
        learning_rate=3e-5,
        bf16=wish.their_precision == "bf16",
        use_cpu=gate.device.type == "cpu",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = SentenceTransformerTrainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_dict({"anchor": rows, "positive": rows}),
            loss=MultipleNegativesRankingLoss(model, scale=1 / wish.temperature),
        )
        trainer.get_batch_sampler = lambda dataset, batch_size, drop_last, *_, **__: BatchSampler(
            range(len(dataset)), batch_size, drop_last
        )
        _watch(trainer, gate)
        trainer.train()
    gate.next()


def _watch(trainer: Any, gate: Gate) -> None:
    """Laps around the trainer's own methods, and the gate between two steps."""
    from transformers import TrainerCallback

    compute, step = trainer.compute_loss, trainer.training_step
    last: list[Any] = []

    def compute_loss(*args: Any, **kwargs: Any) -> Any:
        gate.lap("tokenise")
        loss = compute(*args, **kwargs)
        gate.lap("forward")
        return loss

    def training_step(*args: Any, **kwargs: Any) -> Any:
        last[:] = [step(*args, **kwargs)]
        gate.lap("backward")
        return last[0]

    def on_step_end(*_: Any, **__: Any) -> None:
        gate.lap("clip+optimizer")
        gate.next(last[0])

    trainer.compute_loss, trainer.training_step = compute_loss, training_step
    told = {"on_train_begin": lambda *_, **__: gate.next(), "on_step_end": on_step_end}
    trainer.add_callback(type("AtTheGate", (TrainerCallback,), told))
