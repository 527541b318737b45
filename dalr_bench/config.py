"""The fixed keys of a suite: everything that is not a component's own option. pydantic models, closed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Closed(BaseModel):
    """No unknown keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, validate_default=True)


# How a step is carried out (docs/several-gpus.md) or looked at, not what it computes: these count for no run's identity.
EXECUTION = frozenset({"micro_batch", "gradient_checkpointing", "account_every", "gradients_every"})


class TrainOptions(Closed):
    """How a cell is trained. `steps` or `epochs` (of the first stream); 0 steps leaves the student untrained (a floor row).

    `micro_batch`: sentences encoded at a time; losses still see the whole batch (`train.gradcache`).
    `gradient_checkpointing`: the encoder's layers are computed again in the backward pass instead of kept.
    `account_every`: each n-th step of a stream is timed part by part (0: none). `gradients_every`: each n-th step the
    gradient of every loss term on the student is measured alone (0: never). Neither changes a weight.
    """

    steps: Annotated[int, Field(ge=0)] | None = None
    epochs: Annotated[float, Field(gt=0)] | None = None
    batch: Annotated[int, Field(ge=2)] = 64
    last_batch: Literal["keep", "drop"] = "keep"
    mix: Literal["interleave", "every", "ratio"] = "interleave"
    every: Annotated[int, Field(ge=1)] | None = None
    ratio: Annotated[float, Field(gt=0, lt=1)] | None = None
    lr: Annotated[float, Field(gt=0)] = 3e-5
    head_lr: Annotated[float, Field(gt=0)] | None = None
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    clip: Annotated[float, Field(ge=0)] = 1.0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    score_precision: Literal["fp32", "bf16"] = "fp32"
    dev: dict[str, Any] | None = None
    dev_every: Annotated[int, Field(ge=1)] = 125
    keep: Literal["best", "last"] = "best"
    log_every: Annotated[int, Field(ge=1)] = 10
    micro_batch: Annotated[int, Field(ge=1)] | None = None
    gradient_checkpointing: bool = False
    account_every: Annotated[int, Field(ge=0)] = 10
    gradients_every: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="before")
    @classmethod
    def _pair_from_list(cls, data: Any) -> Any:
        # YAML and JSON know lists only; strict mode would refuse one where a pair is meant.
        if isinstance(data, dict) and isinstance(data.get("betas"), list):
            return {**data, "betas": tuple(data["betas"])}
        return data

    @model_validator(mode="after")
    def _one_length(self) -> TrainOptions:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either `steps` or `epochs`")
        if self.mix == "every" and self.every is None:
            raise ValueError("`mix: every` needs `every: k` (a paired batch each k steps)")
        if self.mix == "ratio" and self.ratio is None:
            raise ValueError("`mix: ratio` needs `ratio` (the share of steps on the second stream)")
        if self.gradients_every and self.micro_batch is not None:
            raise ValueError("`gradients_every` needs the graph of the whole batch: leave out `micro_batch`")
        return self


class LossOptions(Closed):
    """What the core knows of every loss, beside the component's own options."""

    weight: float = 1.0
    on: list[str] | None = None
