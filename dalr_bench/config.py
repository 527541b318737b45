"""The fixed keys of a suite: everything that is not a component's own option. pydantic models, closed.

The string below a key is what docs/reference/suite-keys.md says of it (tools/make_reference.py reads it from here).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Closed(BaseModel):
    """No unknown keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, validate_default=True)


# How a step is carried out or looked at, not what it computes: these count for no run's identity.
EXECUTION = frozenset({"micro_batch", "gradient_checkpointing", "account_every", "gradients_every", "log_every"})

# Keys that came later: left at a default that means what was done before them, they are not counted either.
LATER = {"teacher_rows": "fp32", "compile": "none"}


class TrainOptions(Closed):
    """How a cell is trained, for `steps` or for `epochs`."""

    steps: Annotated[int, Field(ge=0)] | None = None
    """Optimiser steps; 0 leaves the student untrained (a floor row). Either this or `epochs`."""
    epochs: Annotated[float, Field(gt=0)] | None = None
    """Passes over the data: the batches of the first stream plus those of the second. Either this or `steps`."""
    batch: Annotated[int, Field(ge=2)] = 64
    """Sentences in a batch."""
    last_batch: Literal["keep", "drop"] = "keep"
    """The last, smaller batch of a pass. One of a single sentence is always dropped: nothing to contrast it with."""
    mix: Literal["interleave", "every", "ratio"] = "interleave"
    """How two streams share the steps: `interleave` is the papers' k = batches of the first // batches of the second, a batch
    of the second every k-th step (refused where k is below 2: the first would never come up); `every` names k; `ratio` the
    second stream's share of the steps."""
    every: Annotated[int, Field(ge=1)] | None = None
    """k of `mix: every`."""
    ratio: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The share of `mix: ratio`."""
    lr: Annotated[float, Field(gt=0)] = 3e-5
    """AdamW's rate at its highest."""
    head_lr: Annotated[float, Field(gt=0)] | None = None
    """Another rate for the losses' own parts (projections, towers, generators). Left out: `lr`."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """AdamW's decay."""
    betas: tuple[float, float] = (0.9, 0.999)
    """AdamW's two averages."""
    eps: Annotated[float, Field(gt=0)] = 1e-8
    """AdamW's ε. The authors' code that takes transformers' AdamW has 1e-6 (suites/released)."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """What the rate does after `warmup`; linear and cosine end at 0."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of the steps in which the rate rises from 0."""
    clip: Annotated[float, Field(ge=0)] = 1.0
    """The largest norm of the gradient; 0: not clipped."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of training: `auto` is bf16 autocast on CUDA and fp32 elsewhere."""
    score_precision: Literal["fp32", "bf16"] = "fp32"
    """Of evaluation; part of every score's protocol."""
    dev: dict[str, Any] | None = None
    """An evaluator that scores a dev split, asked every `dev_every` steps and after the last one."""
    dev_every: Annotated[int, Field(ge=1)] = 125
    """Steps between two dev checks."""
    keep: Literal["best", "last"] = "best"
    """Which weights are scored: the best by `dev` (without `dev` the last), or the last."""
    log_every: Annotated[int, Field(ge=1)] = 10
    """Steps between two lines of `steps.jsonl`."""
    micro_batch: Annotated[int, Field(ge=1)] | None = None
    """Sentences encoded at a time; losses still see the whole batch. No part of a run's identity."""
    gradient_checkpointing: bool = False
    """The encoder's layers are computed again in the backward pass instead of kept. No part of a run's identity."""
    account_every: Annotated[int, Field(ge=0)] = 10
    """Each n-th step of a stream is timed part by part; 0: none. Changes no weight and no identity."""
    gradients_every: Annotated[int, Field(ge=0)] = 0
    """Each n-th step the gradient of every loss term on the student is measured alone; 0: never. Changes no weight and no
    identity."""
    teacher_rows: Literal["fp32", "fp16"] = "fp32"
    """Stored teachers' rows in single or half precision; losses compute with float32 either way."""

    compile: Literal["none", "default", "graphs"] = "none"
    """The student's forward and backward pass by `torch.compile`, for a few shapes: `default`, or `graphs` as CUDA graphs. It
    changes rounding and dropout's draws."""

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
        if self.compile == "graphs" and (what := self._not_in_graphs()):
            raise ValueError(f"`compile: graphs` replays whole recorded steps: leave out `{what}`, or take `compile: default`")
        return self

    def _not_in_graphs(self) -> str | None:
        given = {
            "micro_batch": self.micro_batch is not None,
            "gradient_checkpointing": self.gradient_checkpointing,
            "gradients_every": self.gradients_every > 0,
        }
        return next((name for name, wanted in given.items() if wanted), None)


class LossOptions(Closed):
    """What the core knows of every loss, beside the component's own options."""

    weight: float = 1.0
    """The factor of this term in the sum."""
    on: list[str] | None = None
    """Labels of the streams on whose steps the term counts. Left out: all."""
