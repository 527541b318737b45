"""The sentence vector finds its own sentence's token states among all of the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import Field

from dalr_bench import Dims, LossInputs, LossOutput, SuiteError, TeacherStates, TrainingError, hookimpl
from dalr_bench.errors import counted
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.formulas.local import global_to_local
from dalr_bench_plugins.formulas.rows import token_states
from dalr_bench_plugins.formulas.similarity import single

if TYPE_CHECKING:
    from torch import Tensor


class GlobalToLocal:
    """mean_i mean_t −log [e^{l_it·g_i/τ} / (e^{l_it·g_i/τ} + Σ_{j≠i,u} e^{l_ju·g_i/τ})], g = z1, l a teacher's states.

    Source: the term DALR's released code (2024) adds to its ranking loss and its formulas do not have:
    Hekang001/DALR@c53e1fc:src/model_modified.py:560-603,725-739. There τ (`temperature`) = .05, l = .33 SimCSE + .67
    DiffCSE token states without the first token, divided by their norm over the TOKEN axis, g un-normalised: those are
    the defaults.

    `teachers` with `weights` (equal where not given). `combine: states` averages token states, for teachers that cut
    sentences into the same tokens (TrainingError where their longest differ; where a sentence's lengths do, the term is
    nan and the run ends there); `losses` averages the terms, for any.
    `normalise`: over `tokens` (code), over the `width` of each token, or `none`. `normalise_global` scales g to
    length 1. `skip_first` drops the first token. `head: linear` maps g to the teachers' width where it is another
    than the student's. Departure: padding counts in no norm (the code's norms run over padded places too), and the
    average over two identical copies is taken once.
    """

    views = 1

    def __init__(
        self,
        teachers: Annotated[list[TeacherStates], Field(min_length=1)],
        weights: list[float] | None = None,
        combine: Literal["states", "losses"] = "states",
        temperature: Annotated[float, Field(gt=0)] = 0.05,
        normalise: Literal["tokens", "width", "none"] = "tokens",
        normalise_global: bool = False,
        skip_first: bool = True,
        head: Literal["none", "linear"] = "none",
        *,
        dims: Dims,
    ) -> None:
        from dalr_bench_plugins.networks.heads import head as build_head

        if weights is not None and len(weights) != len(teachers):
            raise SuiteError(f"global_to_local: {counted(len(weights), 'weight')} for {counted(len(teachers), 'teacher')}")
        widths = {name: dims.text[name] for name in teachers}
        if len(set(widths.values())) > 1:
            raise SuiteError(f"global_to_local: teachers of one loss must be equally wide, got {widths}")
        width = next(iter(widths.values()))
        if head == "none" and width != dims.student:
            raise SuiteError(f"global_to_local: states are {width} wide, the student {dims.student}: use head: linear")
        self.teachers = list(teachers)
        self.weights = [1 / len(teachers)] * len(teachers) if weights is None else list(weights)
        self.combine, self.temperature = combine, temperature
        self.normalise, self.normalise_global, self.skip_first = normalise, normalise_global, skip_first
        self.head = build_head(head, dims.student, width)

    def __call__(self, inputs: LossInputs) -> LossOutput:
        rows_NT = single(self.head(inputs.encoding.projected_NVD[:, 0]))
        if self.normalise_global:
            rows_NT = torch.nn.functional.normalize(rows_NT, dim=-1)
        found = [token_states(inputs.teachers[name], name) for name in self.teachers]
        if self.combine == "states":
            terms = [self._term(self._mixed(found), found[0][1], rows_NT)]
            return LossOutput(terms[0])
        terms = [self._term(states_NLT, mask_NL, rows_NT) for states_NLT, mask_NL in found]
        loss = torch.stack([w * term for w, term in zip(self.weights, terms, strict=True)]).sum()
        return LossOutput(loss, {name: term.detach() for name, term in zip(self.teachers, terms, strict=True)})

    def _term(self, states_NLT: Tensor, mask_NL: Tensor, rows_NT: Tensor) -> Tensor:
        first = 1 if self.skip_first else 0
        mask_NL = mask_NL[:, first:]
        states_NLT = single(states_NLT[:, first:]) * mask_NL[..., None]
        if self.normalise != "none":
            states_NLT = torch.nn.functional.normalize(states_NLT, dim=1 if self.normalise == "tokens" else 2)
        return global_to_local(states_NLT, mask_NL, rows_NT, self.temperature)

    def _mixed(self, found: list[tuple[Tensor, Tensor]]) -> Tensor:
        lengths = {name: states.shape[1] for name, (states, _) in zip(self.teachers, found, strict=True)}
        if len(set(lengths.values())) > 1:
            raise TrainingError(f"global_to_local: teachers cut sentences differently ({lengths}): combine: losses")
        mixed_NLT = torch.stack([w * single(states) for w, (states, _) in zip(self.weights, found, strict=True)]).sum(0)
        # Two tokenizers may have one longest sentence. The device is not asked for it: no number ends the run at this term.
        alike = torch.stack([(mask_NL == found[0][1]).all() for _, mask_NL in found]).all()
        return torch.where(alike, mixed_NLT, torch.nan)


@hookimpl
def register_losses(register: Register) -> None:
    register("global_to_local", GlobalToLocal)
